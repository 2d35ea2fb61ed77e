/* Row kernels of te_depthwise_fast.h for Armv7E-M: the trick, layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* ---- products ---------------------------------------------------------------------------------------------------- */

.macro SMLAL_TO accumulator, pixels, tap
    .if \accumulator == 0
    smlal   r4, r5, \pixels, \tap
    .elseif \accumulator == 1
    smlal   r6, r7, \pixels, \tap
    .else
    smlal   r8, r9, \pixels, \tap
    .endif
.endm

/* Pixel word i of a row meets accumulator i - m through tap word m, for two or more neighbouring taps. */
.macro MEET i, pixels, m, tap
    .if (\i - \m >= 0) && (\i - \m < 3)
    SMLAL_TO (\i - \m), \pixels, \tap
    .endif
.endm

.macro MEET_2 i, pixels, t0, t1
    MEET \i, \pixels, 0, \t0
    MEET \i, \pixels, 1, \t1
.endm

.macro MEET_3 i, pixels
    MEET_2 \i, \pixels, r10, r11
    MEET \i, \pixels, 2, r12
.endm

.macro MEET_4 i, pixels
    MEET_3 \i, \pixels
    MEET \i, \pixels, 3, lr
.endm

/* Stride 1: unit = 3 words per slot. Kernels 3 and 5 walk r0 through the slots, 7 has no register for that. */
#define UNIT_3 36
#define UNIT_5 60
#define UNIT_7 84

.macro PRODUCTS_3
    .rept 3
    ldmia   r1!, {r10, r11}
    ldmia.w r0!, {r2, r3, r12}
    ldr     lr, [r0, #(UNIT_3 - 12)]
    MEET_2  0, r2, r10, r11
    MEET_2  1, r3, r10, r11
    MEET_2  2, r12, r10, r11
    MEET_2  3, lr, r10, r11
    .endr
.endm
#define ADVANCE_3 0

.macro PRODUCTS_5
    .rept 5
    ldmia   r1!, {r10, r11, r12}
    ldmia.w r0!, {r2, r3, lr}
    MEET_3  0, r2
    MEET_3  1, r3
    ldrd    r2, r3, [r0, #(UNIT_5 - 12)]
    MEET_3  2, lr
    MEET_3  3, r2
    MEET_3  4, r3
    .endr
.endm
#define ADVANCE_5 0

.macro ROW_7 slot
    ldmia   r1!, {r10, r11, r12, lr}
    ldrd    r2, r3, [r0, #(12 * \slot)]
    MEET_4  0, r2
    MEET_4  1, r3
    ldr     r2, [r0, #(12 * \slot + 8)]
    MEET_4  2, r2
    ldrd    r2, r3, [r0, #(UNIT_7 + 12 * \slot)]
    MEET_4  3, r2
    MEET_4  4, r3
    ldr     r2, [r0, #(UNIT_7 + 12 * \slot + 8)]
    MEET_4  5, r2
.endm

.macro PRODUCTS_7
    ROW_7   0
    ROW_7   1
    ROW_7   2
    ROW_7   3
    ROW_7   4
    ROW_7   5
    ROW_7   6
.endm
#define ADVANCE_7 UNIT_7

/* Stride 2: unit = even and odd word per slot; a block of three accumulators moves three units on. */
.macro ROW_3_BY_2 slot
    ldmia   r1!, {r10, r11}
    ldrd    r2, r3, [r0, #(8 * \slot)]
    MEET    0, r2, 0, r10
    MEET    0, r3, 0, r11
    ldrd    r2, r3, [r0, #(24 + 8 * \slot)]
    MEET    1, r2, 0, r10
    MEET    1, r3, 0, r11
    ldrd    r2, r3, [r0, #(48 + 8 * \slot)]
    MEET    2, r2, 0, r10
    MEET    2, r3, 0, r11
.endm

.macro PRODUCTS_3_by_2
    ROW_3_BY_2 0
    ROW_3_BY_2 1
    ROW_3_BY_2 2
.endm
#define ADVANCE_3_BY_2 72

.macro ROW_5_BY_2 slot
    ldmia   r1!, {r10, r11, r12}
    ldrd    r2, r3, [r0, #(8 * \slot)]
    MEET_2  0, r2, r10, r11
    MEET    0, r3, 0, r12
    ldrd    r2, r3, [r0, #(40 + 8 * \slot)]
    MEET_2  1, r2, r10, r11
    MEET    1, r3, 0, r12
    ldrd    r2, r3, [r0, #(80 + 8 * \slot)]
    MEET_2  2, r2, r10, r11
    MEET    2, r3, 0, r12
    ldr     r2, [r0, #(120 + 8 * \slot)]
    MEET_2  3, r2, r10, r11
.endm

.macro PRODUCTS_5_by_2
    ROW_5_BY_2 0
    ROW_5_BY_2 1
    ROW_5_BY_2 2
    ROW_5_BY_2 3
    ROW_5_BY_2 4
.endm
#define ADVANCE_5_BY_2 120

.macro ROW_7_BY_2 slot
    ldmia   r1!, {r10, r11, r12, lr}
    ldrd    r2, r3, [r0, #(8 * \slot)]
    MEET_2  0, r2, r10, r11
    MEET_2  0, r3, r12, lr
    ldrd    r2, r3, [r0, #(56 + 8 * \slot)]
    MEET_2  1, r2, r10, r11
    MEET_2  1, r3, r12, lr
    ldrd    r2, r3, [r0, #(112 + 8 * \slot)]
    MEET_2  2, r2, r10, r11
    MEET_2  2, r3, r12, lr
    ldrd    r2, r3, [r0, #(168 + 8 * \slot)]
    MEET_2  3, r2, r10, r11
    MEET_2  3, r3, r12, lr
.endm

.macro PRODUCTS_7_by_2
    ROW_7_BY_2 0
    ROW_7_BY_2 1
    ROW_7_BY_2 2
    ROW_7_BY_2 3
    ROW_7_BY_2 4
    ROW_7_BY_2 5
    ROW_7_BY_2 6
.endm
#define ADVANCE_7_BY_2 168

/* ---- one row of outputs -------------------------------------------------------------------------------------------- */

/* The stack frame of a run. */
#define F_START 0      /* starting values, three times */
#define F_PIXELS 24
#define F_TAPS 28
#define F_CONSTANTS 32 /* M C e pitch | high word of the last accumulator, where its odd output goes, next output */
#define F_CARRY 48
#define F_BLOCKS 60    /* whole blocks left */
#define F_LAST 64      /* outputs of the last block, the one carried into it included: 1..6 */
#define F_DUMMY 68     /* the first block is carried nothing: its first result goes here */
#define F_RETURN 72
#define F_GATHER 76    /* subroutine */
#define F_COUNT 80     /* rows it is asked for */
#define F_X 84         /* where the next input row begins, and its slot */
#define F_WORDS 88
#define F_PASSES 92    /* of the gathering loop, where each row enters it and where it goes on behind it: constants */
#define F_ENTRY 96
#define F_TAIL 100
#define F_NEXT 104     /* next input row, and the row at which their row of places ends */
#define F_SEGMENT 108
#define F_ROWS 112     /* output rows left */
#define F_MISSING 116  /* rows to fetch before the next row of outputs */
#define F_LEFT 120     /* slots before the ring begins again */
#define F_RING 124     /* constant, and the row of the table that meets slot 0 now */
#define F_TAP_ROW 128
#define F_Y 132
#define F_ROW_BLOCKS 136 /* constants for F_BLOCKS and F_LAST */
#define F_TAP_STEP 144  /* bytes by which F_TAP_ROW moves back, and the table's begin */
#define F_TABLE 148
#define F_ARGS 152      /* te_depthwise_run_args */
#define A_X (F_ARGS + 0)
#define A_PITCH (F_ARGS + 4)
#define A_WORDS (F_ARGS + 8)
#define A_WIDTH (F_ARGS + 12)
#define A_ZERO (F_ARGS + 16)
#define A_UNIT (F_ARGS + 20)
#define A_PHASE (F_ARGS + 24)
#define A_UNITS (F_ARGS + 28)
#define A_FIRST (F_ARGS + 32)
#define A_SEGMENT (F_ARGS + 36)
#define A_LINE (F_ARGS + 40)
#define A_OUT_LINE (F_ARGS + 44)
#define A_Y (F_ARGS + 48)
#define A_ROWS (F_ARGS + 52)
#define A_OUTPUTS (F_ARGS + 56)
#define A_STRIDE (F_ARGS + 60)
#define A_RING (F_ARGS + 64)
#define A_TAPS (F_ARGS + 68)
#define A_PACKED (F_ARGS + 72)
#define A_CONSTANTS (F_ARGS + 76)
#define A_CHANNELS (F_ARGS + 80)
#define A_HEIGHT (F_ARGS + 84)
#define A_WRAPPED (F_ARGS + 88)
#define FRAME (F_ARGS + 92)

/* M in r1, C in r2, e in r3; r0 is free. */
.macro EXACT sum, address:vararg
    add     r0, r2, \sum, asr #31
    smmlar  \sum, \sum, r1, r0
    asr     \sum, \sum, r3
    ssat    \sum, #8, \sum
    strb    \sum, \address
.endm

/* The same with the zero point in r2. */
.macro FAST sum, address:vararg
    smmlar  \sum, \sum, r1, r2
    ssat    \sum, #8, \sum
    strb    \sum, \address
.endm

/* Even output: the middle field, less its offset. */
.macro EVEN low, high
    lsr     \low, \low, #21
    bfi     \low, \high, #11, #10
    sub     \low, \low, #0x100000
.endm

/* Odd output: top field of the last accumulator (its high word) and bottom field of the next. */
.macro ODD last, next_low
    ubfx    r0, \next_low, #0, #21
    add     \last, r0, \last, asr #10
.endm

.macro UNLESS_LAST last, done
    .if \last
    subs    r11, #1
    beq     \done
    .endif
.endm

/* Six outputs: the odd one carried over, then even, odd, even, odd, even. */
.macro BLOCK products, advance, round, last, done
    ldm     sp, {r4-r9}
    ldrd    r0, r1, [sp, #F_PIXELS]
    \products
    .if !\last
    .if \advance
    add     r0, r0, #\advance
    .endif
    str     r0, [sp, #F_PIXELS]
    .endif
    add     r1, sp, #F_CONSTANTS
    ldm     r1, {r1, r2, r3, r10, r11, r12, lr} /* M C e pitch, high word, its address, next address */
    ODD     r11, r4
    \round  r11, [r12]
    .if \last
    ldr     r11, [sp, #F_LAST]
    .endif
    UNLESS_LAST \last, \done
    EVEN    r4, r5
    \round  r4, [lr]
    UNLESS_LAST \last, \done
    ODD     r5, r6
    \round  r5, [lr, r10]
    UNLESS_LAST \last, \done
    EVEN    r6, r7
    \round  r6, [lr, r10, lsl #1]
    UNLESS_LAST \last, \done
    add     lr, lr, r10, lsl #1
    ODD     r7, r8
    \round  r7, [lr, r10]
    UNLESS_LAST \last, \done
    EVEN    r8, r9
    \round  r8, [lr, r10, lsl #1]
    .if !\last
    add     lr, lr, r10, lsl #2
    sub     r12, lr, r10
    add     r0, sp, #F_CARRY
    stmia   r0, {r9, r12, lr}
    .endif
.endm

/* All outputs of a row; F_PIXELS, F_TAPS, F_CARRY (but the high word), F_BLOCKS and F_LAST are set. */
.macro ROW products, advance, round
    ldr     r0, [sp, #F_BLOCKS]
    cmp     r0, #0
    beq     .Llast\@
.Lblock\@:
    BLOCK   \products, \advance, \round, 0
    ldr     r0, [sp, #F_BLOCKS]
    subs    r0, #1
    str     r0, [sp, #F_BLOCKS]
    bne     .Lblock\@
.Llast\@:
    BLOCK   \products, \advance, \round, 1, .Ldone\@
.Ldone\@:
.endm

/* ---- gathering rows: subroutines that use all registers -------------------------------------------------------------- */

#define UNROLL 4

/* In front of each: where the loop ends, bytes of code per group of pixels, and what follows for each number of pixels
 * that remain. Only words with pixels are written; the others hold padding. */
.macro SUBROUTINE name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .type \name, %function
    .thumb_func
\name:
    str     lr, [sp, #F_RETURN]
    ldr     r1, [sp, #A_PITCH]
    ldr     r5, [sp, #A_UNIT]
    add     r6, r1, r1, lsl #1
.endm

/* The next row's x in r0, slot in r2; then into the loop, with the passes in r3. */
.macro GATHER_ROW slot_bytes
    ldrd    r0, r2, [sp, #F_X]
    ldr     r8, [sp, #A_LINE]
    add     r9, r2, #\slot_bytes
    add     r8, r8, r0
    strd    r8, r9, [sp, #F_X]
    ldr     r3, [sp, #F_PASSES]
.endm

.macro GATHER_NEXT row
    ldr     r8, [sp, #F_COUNT]
    subs    r8, #1
    str     r8, [sp, #F_COUNT]
    bne     \row
    ldr     pc, [sp, #F_RETURN]
.endm

/* Six pixels at r0 (pitch r1, 3 and 5 times that in r6 and r7) into three words, to word `phase` of the unit at r2 and
 * on; the units are r5 bytes apart. Instructions of 4 bytes only, so that the loop can be entered at any group. */
.macro GATHER_SIX phase
    ldrsb.w r8, [r0, #0]
    ldrsb.w r9, [r0, r1]
    ldrsb.w r10, [r0, r1, lsl #1]
    ldrsb.w r11, [r0, r6]
    ldrsb.w r12, [r0, r1, lsl #2]
    ldrsb.w lr, [r0, r7]
    add     r0, r0, r6, lsl #1
    add     r8, r8, r9, lsl #21
    add     r9, r10, r11, lsl #21
    add     r10, r12, lr, lsl #21
    .if \phase == 0
    stmia.w r2, {r8-r10}
    add.w   r2, r2, r5
    .elseif \phase == 1
    strd    r8, r9, [r2, #4]
    add.w   r2, r2, r5
    str     r10, [r2]
    .else
    str     r8, [r2, #8]
    add.w   r2, r2, r5
    strd    r9, r10, [r2]
    .endif
.endm

/* \pixels that remain, 1..5. */
.macro GATHER_TAIL phase, pixels
    .if \pixels == 1
    ldr     r9, [sp, #A_ZERO]
    .else
    ldrsb   r9, [r0, r1]
    .endif
    ldrsb   r8, [r0]
    add     r8, r8, r9, lsl #21
    .if \pixels > 2
    .if \pixels == 3
    ldr     r11, [sp, #A_ZERO]
    .endif
    ldrsb   r10, [r0, r1, lsl #1]
    .if \pixels > 3
    ldrsb   r11, [r0, r6]
    .endif
    add     r10, r10, r11, lsl #21
    .endif
    .if \pixels > 4
    ldr     lr, [sp, #A_ZERO]
    ldrsb   r12, [r0, r1, lsl #2]
    add     r12, r12, lr, lsl #21
    .endif
    str     r8, [r2, #(4 * \phase)]
    .if \phase == 2
    add     r2, r2, r5
    .endif
    .if \pixels > 2
    str     r10, [r2, #(4 * ((\phase + 1) % 3))]
    .endif
    .if \phase == 1
    add     r2, r2, r5
    .endif
    .if \pixels > 4
    str     r12, [r2, #(4 * ((\phase + 2) % 3))]
    .endif
.endm

.macro GATHER phase
    .section .text.gather_\phase, "ax", %progbits
    .p2align 2
table_\phase:
    .word   gather_\phase, .Lcheck_\phase + 1, 48 + 4 * ((\phase + 1) / 2 - \phase / 3)
    .word   .Ltail_\phase\()0 + 1, .Ltail_\phase\()1 + 1, .Ltail_\phase\()2 + 1
    .word   .Ltail_\phase\()3 + 1, .Ltail_\phase\()4 + 1, .Ltail_\phase\()5 + 1
SUBROUTINE gather_\phase
    add     r7, r6, r1, lsl #1
.Lrow_\phase:
    GATHER_ROW 12
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
.Lgroups_\phase:
    .rept UNROLL
    GATHER_SIX \phase
    .endr
.Lcheck_\phase:
    subs    r3, #1
    bne     .Lgroups_\phase
    ldr     pc, [sp, #F_TAIL]
.Ltail_\phase\()1:
    GATHER_TAIL \phase, 1
    GATHER_NEXT .Lrow_\phase
.Ltail_\phase\()2:
    GATHER_TAIL \phase, 2
    GATHER_NEXT .Lrow_\phase
.Ltail_\phase\()3:
    GATHER_TAIL \phase, 3
    GATHER_NEXT .Lrow_\phase
.Ltail_\phase\()4:
    GATHER_TAIL \phase, 4
    GATHER_NEXT .Lrow_\phase
.Ltail_\phase\()5:
    GATHER_TAIL \phase, 5
.Ltail_\phase\()0:
    GATHER_NEXT .Lrow_\phase
.endm

    GATHER  0
    GATHER  1
    GATHER  2

.macro STORE_FOUR
    add     r8, r8, r10, lsl #21
    add     r9, r9, r11, lsl #21
    strd    r8, r9, [r2]
    add.w   r2, r2, r5
.endm

/* Stride 2: units of four pixels, the first of which may begin with padding; x is where it would begin. */
    .section .text.gather_by_2, "ax", %progbits
    .p2align 2
table_by_2:
    .word   gather_by_2, .Lcheck_by_2 + 1, 36
    .word   .Ltail_by_2_0 + 1, .Ltail_by_2_1 + 1, .Ltail_by_2_2 + 1, .Ltail_by_2_3 + 1
SUBROUTINE gather_by_2
    ldr     r4, [sp, #A_ZERO]
.Lrow_by_2:
    GATHER_ROW 8
    ldr     r12, [sp, #A_PHASE]
    cmp     r12, #1
    blo     1f
    mov     r8, r4
    mov     r9, r4
    mov     r10, r4
    bhi     2f
    ldrsb   r9, [r0, r1]
2:  cmp     r12, #3
    beq     3f
    ldrsb   r10, [r0, r1, lsl #1]
3:  ldrsb   r11, [r0, r6]
    STORE_FOUR
    add     r0, r0, r1, lsl #2
1:  ldr     pc, [sp, #F_ENTRY]
    .p2align 2
.Lgroups_by_2:
    .rept UNROLL
    ldrsb.w r8, [r0]
    ldrsb.w r9, [r0, r1]
    ldrsb.w r10, [r0, r1, lsl #1]
    ldrsb.w r11, [r0, r6]
    add     r0, r0, r1, lsl #2
    STORE_FOUR
    .endr
.Lcheck_by_2:
    subs    r3, #1
    bne     .Lgroups_by_2
    ldr     pc, [sp, #F_TAIL]
.Ltail_by_2_1:
    ldrsb   r8, [r0]
    add     r8, r8, r4, lsl #21
    str     r8, [r2]
    GATHER_NEXT .Lrow_by_2
.Ltail_by_2_2:
    ldrsb   r8, [r0]
    ldrsb   r9, [r0, r1]
    add     r8, r8, r4, lsl #21
    add     r9, r9, r4, lsl #21
    strd    r8, r9, [r2]
    GATHER_NEXT .Lrow_by_2
.Ltail_by_2_3:
    ldrsb   r8, [r0]
    ldrsb   r9, [r0, r1]
    ldrsb   r10, [r0, r1, lsl #1]
    add     r9, r9, r4, lsl #21
    add     r8, r8, r10, lsl #21
    strd    r8, r9, [r2]
.Ltail_by_2_0:
    GATHER_NEXT .Lrow_by_2

/* ---- channels ------------------------------------------------------------------------------------------------------ */

/* Two packed bytes at r0 -> one word of doubled taps. */
.macro TAP_WORD word
    ldrsb   \word, [r0], #1
    ldrsb   r12, [r0], #1
    add     \word, \word, r12, lsl #21
    lsl     \word, \word, #1
.endm

/* void te_depthwise_run_<name>(const te_depthwise_run_args *args); nm words of taps per row, slots of slot_bytes */
.macro RUN name, products, round, kernel, nm, slot_bytes, advance
FUNCTION te_depthwise_run_\name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    add     r1, sp, #F_ARGS
    .rept 3
    ldmia.w r0!, {r2-r8}
    stmia   r1!, {r2-r8}
    .endr
    ldmia   r0!, {r2, r3}
    stmia   r1!, {r2, r3}
    ldr     r0, [sp, #A_PHASE]
    ldr     r1, [sp, #A_WIDTH]
    .if \slot_bytes == 12
    ldr     r8, =table_0
    cmp     r0, #1
    it      eq
    ldreq   r8, =table_1
    it      hi
    ldrhi   r8, =table_2
    movs    r3, #6
    udiv    r2, r1, r3
    .else
    ldr     r8, =table_by_2
    ldrd    r4, r5, [sp, #A_X]      /* and pitch */
    mls     r4, r0, r5, r4
    str     r4, [sp, #A_X]
    add     r1, r1, r0
    cmp     r0, #0
    it      ne
    subne   r1, #4                  /* a unit that begins with padding is not the loop's */
    movs    r3, #4
    lsrs    r2, r1, #2
    .endif
    mls     r1, r2, r3, r1          /* groups in r2, pixels that remain in r1 */
    ldmia   r8!, {r4, r5, r6}
    ldr     r7, [r8, r1, lsl #2]
    and     r1, r2, #(UNROLL - 1)
    mls     r5, r1, r6, r5
    lsrs    r2, r2, #2
    adds    r2, #1
    str     r4, [sp, #F_GATHER]
    strd    r2, r5, [sp, #F_PASSES]
    str     r7, [sp, #F_TAIL]
    ldr     r0, [sp, #A_OUTPUTS]
    movs    r3, #6
    udiv    r1, r0, r3
    mls     r2, r1, r3, r0
    adds    r2, #1                  /* the carried output counts */
    strd    r1, r2, [sp, #F_ROW_BLOCKS]
    ldr     r0, [sp, #A_STRIDE]
    movs    r3, #\kernel
    udiv    r1, r0, r3
    mls     r1, r1, r3, r0
    movs    r3, #(4 * \nm)
    mul     r1, r1, r3
    ldrd    r0, r2, [sp, #A_RING]
    str     r0, [sp, #F_RING]
    strd    r1, r2, [sp, #F_TAP_STEP]

.Lchannel_\name:
    ldr     r0, [sp, #A_PACKED]
    ldr     r1, [sp, #A_TAPS]
    add     r2, r1, #(4 * \kernel * \nm)
    movs    r3, #\kernel
.Ltaps_\name:
    TAP_WORD r4
    TAP_WORD r5
    .if \nm == 2
    stmia   r1!, {r4, r5}
    stmia   r2!, {r4, r5}
    .elseif \nm == 3
    TAP_WORD r6
    stmia   r1!, {r4-r6}
    stmia   r2!, {r4-r6}
    .else
    TAP_WORD r6
    TAP_WORD r7
    stmia   r1!, {r4-r7}
    stmia   r2!, {r4-r7}
    .endif
    subs    r3, #1
    bne     .Ltaps_\name
    ldr     r1, [sp, #A_CONSTANTS]
    ldmia   r1!, {r2, r4, r5, r6}   /* bias M C, e in the lowest byte */
    strd    r0, r1, [sp, #A_PACKED]
    uxtb    r6, r6
    ldr     r7, [sp, #A_PITCH]
    add     r0, sp, #F_CONSTANTS
    stmia   r0!, {r4-r7}
    lsl     r3, r2, #22             /* start = 2^20 + (2 bias + 2^20) 2^21 + (2 bias - 2^20) 2^42 */
    add     r3, r3, #0x100000
    lsl     r2, r2, #1
    add     r4, r2, #0x100000
    sub     r2, r2, #0x100000
    asr     r4, r4, #11
    add     r4, r4, r2, lsl #10
    strd    r3, r4, [sp, #F_START]
    strd    r3, r4, [sp, #(F_START + 8)]
    strd    r3, r4, [sp, #(F_START + 16)]
    ldr     r0, [sp, #A_TAPS]
    ldr     r1, [sp, #A_Y]
    add     r0, r0, #(4 * \kernel * \nm)
    strd    r0, r1, [sp, #F_TAP_ROW]
    ldr     r0, [sp, #A_X]
    ldr     r1, [sp, #A_WORDS]
    strd    r0, r1, [sp, #F_X]
    ldrd    r0, r1, [sp, #A_FIRST]
    strd    r0, r1, [sp, #F_NEXT]
    ldr     r0, [sp, #A_ROWS]
    movs    r1, #\kernel
    strd    r0, r1, [sp, #F_ROWS]
    str     r1, [sp, #F_LEFT]

.Lfetch_\name:                     /* as many rows at once as lie and go one after the other */
    ldrd    r6, r7, [sp, #F_NEXT]
    ldrd    r8, r9, [sp, #F_MISSING]
    cmp     r6, r7
    bhs     .Lother_\name          /* negative ones too */
    sub     r10, r7, r6
    cmp     r10, r8
    it      hi
    movhi   r10, r8
    cmp     r10, r9
    it      hi
    movhi   r10, r9
    add     r6, r6, r10
    sub     r8, r8, r10
    sub     r9, r9, r10
    str     r6, [sp, #F_NEXT]
    strd    r8, r9, [sp, #F_MISSING]
    ldr     r12, [sp, #F_GATHER]
    str     r10, [sp, #F_COUNT]
    blx     r12
.Lfetched_\name:
    ldrd    r0, r1, [sp, #F_MISSING]
    cmp     r1, #0
    bne     1f
    ldr     r1, [sp, #A_WORDS]
    movs    r2, #\kernel
    str     r1, [sp, #F_WORDS]
    str     r2, [sp, #F_LEFT]
1:  cmp     r0, #0
    bne     .Lfetch_\name

    ldrd    r0, r1, [sp, #F_ROW_BLOCKS]
    strd    r0, r1, [sp, #F_BLOCKS]
    ldrd    r0, r1, [sp, #F_RING]   /* and the taps that meet its slot 0 */
    strd    r0, r1, [sp, #F_PIXELS]
    ldrd    r2, r3, [sp, #F_TAP_STEP]
    sub     r1, r1, r2
    cmp     r1, r3
    it      ls
    addls   r1, #(4 * \kernel * \nm)
    str     r1, [sp, #F_TAP_ROW]
    add     r0, sp, #F_DUMMY
    ldr     r1, [sp, #F_Y]
    ldr     r2, [sp, #A_OUT_LINE]
    strd    r0, r1, [sp, #(F_CARRY + 4)]
    add     r1, r2
    str     r1, [sp, #F_Y]
    ROW     \products, \advance, \round
    ldr     r0, [sp, #F_ROWS]
    ldr     r1, [sp, #A_STRIDE]
    subs    r0, #1
    strd    r0, r1, [sp, #F_ROWS]
    bne     .Lfetch_\name

    ldr     r0, [sp, #A_X]
    ldr     r1, [sp, #A_Y]
    ldr     r2, [sp, #A_CHANNELS]
    adds    r0, #1
    adds    r1, #1
    str     r0, [sp, #A_X]
    str     r1, [sp, #A_Y]
    subs    r2, #1
    str     r2, [sp, #A_CHANNELS]
    bne     .Lchannel_\name
    add     sp, #FRAME
    pop     {r4-r11, pc}

.Lother_\name:                     /* the row wraps, or is padding */
    ldr     r0, [sp, #F_X]
    cmp     r6, r7
    bne     .Lpadding_\name
    ldrd    r10, r11, [sp, #A_HEIGHT]
    cmp     r7, r10
    beq     .Lpadding_\name
    sub     r0, r11
    str     r0, [sp, #F_X]
    strd    r6, r10, [sp, #F_NEXT]
    b       .Lfetch_\name
.Lpadding_\name:
    add     r6, #1
    sub     r8, #1
    sub     r9, #1
    str     r6, [sp, #F_NEXT]
    strd    r8, r9, [sp, #F_MISSING]
    ldr     r2, [sp, #F_WORDS]
    ldrd    r4, r5, [sp, #A_ZERO]   /* and unit */
    add     r3, r2, #\slot_bytes
    str     r3, [sp, #F_WORDS]
    add     r8, r4, r4, lsl #21
    mov     r9, r8
    mov     r10, r8
    ldr     r3, [sp, #A_UNITS]
1:
    .if \slot_bytes == 12
    stmia   r2, {r8-r10}
    .else
    strd    r8, r9, [r2]
    .endif
    add     r2, r5
    subs    r3, #1
    bne     1b
    b       .Lfetched_\name
    .pool
    .size te_depthwise_run_\name, . - te_depthwise_run_\name
.endm

    RUN     3, PRODUCTS_3, EXACT, 3, 2, 12, ADVANCE_3
    RUN     3_fast, PRODUCTS_3, FAST, 3, 2, 12, ADVANCE_3
    RUN     5, PRODUCTS_5, EXACT, 5, 3, 12, ADVANCE_5
    RUN     5_fast, PRODUCTS_5, FAST, 5, 3, 12, ADVANCE_5
    RUN     7, PRODUCTS_7, EXACT, 7, 4, 12, ADVANCE_7
    RUN     7_fast, PRODUCTS_7, FAST, 7, 4, 12, ADVANCE_7
    RUN     3_by_2, PRODUCTS_3_by_2, EXACT, 3, 2, 8, ADVANCE_3_BY_2
    RUN     3_by_2_fast, PRODUCTS_3_by_2, FAST, 3, 2, 8, ADVANCE_3_BY_2
    RUN     5_by_2, PRODUCTS_5_by_2, EXACT, 5, 3, 8, ADVANCE_5_BY_2
    RUN     5_by_2_fast, PRODUCTS_5_by_2, FAST, 5, 3, 8, ADVANCE_5_BY_2
    RUN     7_by_2, PRODUCTS_7_by_2, EXACT, 7, 4, 8, ADVANCE_7_BY_2
    RUN     7_by_2_fast, PRODUCTS_7_by_2, FAST, 7, 4, 8, ADVANCE_7_BY_2

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
