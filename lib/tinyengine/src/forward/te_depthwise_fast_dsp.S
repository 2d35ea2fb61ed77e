/* Row kernels of te_depthwise_fast.h for Armv7E-M: the trick, layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

    .syntax unified
    .thumb

.macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
.endm

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

/* ---- rows -------------------------------------------------------------------------------------------------------- */

#define F_START 0      /* starting values, three times */
#define F_PIXELS 24
#define F_TAPS 28
#define F_CONSTANTS 32 /* M C e pitch | high word of the last accumulator, where its odd output goes, next output */
#define F_CARRY 48
#define F_BLOCKS 60    /* whole blocks left */
#define F_LAST 64      /* outputs of the last block, the one carried into it included: 1..6 */
#define F_DUMMY 68     /* the first block is carried nothing: its first result goes here */
#define FRAME 72

/* M in r1, C in r2, e in r3; r0 is free. */
.macro ROUND_STORE sum, address:vararg
    add     r0, r2, \sum, asr #31
    smmlar  \sum, \sum, r1, r0
    asr     \sum, \sum, r3
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
.macro BLOCK products, advance, last, done
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
    ROUND_STORE r11, [r12]
    .if \last
    ldr     r11, [sp, #F_LAST]
    .endif
    UNLESS_LAST \last, \done
    EVEN    r4, r5
    ROUND_STORE r4, [lr]
    UNLESS_LAST \last, \done
    ODD     r5, r6
    ROUND_STORE r5, [lr, r10]
    UNLESS_LAST \last, \done
    EVEN    r6, r7
    ROUND_STORE r6, [lr, r10, lsl #1]
    UNLESS_LAST \last, \done
    add     lr, lr, r10, lsl #1
    ODD     r7, r8
    ROUND_STORE r7, [lr, r10]
    UNLESS_LAST \last, \done
    EVEN    r8, r9
    ROUND_STORE r8, [lr, r10, lsl #1]
    .if !\last
    add     lr, lr, r10, lsl #2
    sub     r12, lr, r10
    add     r0, sp, #F_CARRY
    stmia   r0, {r9, r12, lr}
    .endif
.endm

/* void te_depthwise_row_<name>(const te_depthwise_row_args *args) */
.macro ROW_KERNEL name, advance
FUNCTION te_depthwise_row_\name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldmia   r0, {r0-r9}             /* pixels taps low high M C e pitch y outputs */
    mov     r10, r2
    mov     r11, r3
    stmia   sp, {r2, r3, r10, r11}
    strd    r2, r3, [sp, #(F_START + 16)]
    strd    r0, r1, [sp, #F_PIXELS]
    add     r0, sp, #F_CONSTANTS
    stmia   r0, {r4-r7}
    add     r1, sp, #F_DUMMY
    str     r8, [sp, #(F_CARRY + 8)]
    str     r1, [sp, #(F_CARRY + 4)]
    add     r9, #1                  /* the carried output counts */
    sub     r2, r9, #1
    movs    r3, #6
    udiv    r2, r2, r3
    mls     r9, r2, r3, r9
    strd    r2, r9, [sp, #F_BLOCKS]
    cmp     r2, #0
    beq     .Llast_\name
.Lblock_\name:
    BLOCK   PRODUCTS_\name, \advance, 0
    ldr     r0, [sp, #F_BLOCKS]
    subs    r0, #1
    str     r0, [sp, #F_BLOCKS]
    bne     .Lblock_\name
.Llast_\name:
    BLOCK   PRODUCTS_\name, \advance, 1, .Ldone_\name
.Ldone_\name:
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size te_depthwise_row_\name, . - te_depthwise_row_\name
.endm

    ROW_KERNEL 3, ADVANCE_3
    ROW_KERNEL 5, ADVANCE_5
    ROW_KERNEL 7, ADVANCE_7
    ROW_KERNEL 3_by_2, ADVANCE_3_BY_2
    ROW_KERNEL 5_by_2, ADVANCE_5_BY_2
    ROW_KERNEL 7_by_2, ADVANCE_7_BY_2

/* ---- taps -------------------------------------------------------------------------------------------------------- */

/* void te_depthwise_taps(const int8_t *packed, uint32_t kernel, uint32_t words, uint32_t *taps) */
FUNCTION te_depthwise_taps
    push    {r4-r6, lr}
    mul     r4, r1, r2              /* words of the table */
    sub     r5, r4, r2              /* of which these come again */
    mov     r6, r3
1:  ldrsb   r12, [r0], #1
    ldrsb   lr, [r0], #1
    add     r12, r12, lr, lsl #21
    lsl     r12, r12, #1
    str     r12, [r3], #4
    subs    r4, #1
    bne     1b
2:  ldr     r12, [r6], #4
    str     r12, [r3], #4
    subs    r5, #1
    bne     2b
    pop     {r4-r6, pc}
    .size te_depthwise_taps, . - te_depthwise_taps

/* ---- gathering ----------------------------------------------------------------------------------------------------- */

/* Six pixels at r0 (pitch r1, 3 and 5 times that in r6 and r7); each 4 bytes of code, so that a partial group can
 * enter at any of them. */
.macro LOAD_SIX
    ldrsb.w lr, [r0, r7]
    ldrsb.w r12, [r0, r1, lsl #2]
    ldrsb.w r11, [r0, r6]
    ldrsb.w r10, [r0, r1, lsl #1]
    ldrsb.w r9, [r0, r1]
    ldrsb.w r8, [r0, #0]
.endm

/* Three words to word `phase` of the unit at r2 and on; the units are r5 bytes apart. */
.macro STORE_THREE phase
    add     r8, r8, r9, lsl #21
    add     r9, r10, r11, lsl #21
    add     r10, r12, lr, lsl #21
    .if \phase == 0
    stmia   r2, {r8-r10}
    add     r2, r2, r5
    .elseif \phase == 1
    strd    r8, r9, [r2, #4]
    add     r2, r2, r5
    str     r10, [r2]
    .else
    str     r8, [r2, #8]
    add     r2, r2, r5
    strd    r9, r10, [r2]
    .endif
.endm

/* void te_depthwise_gather_<phase>(const te_depthwise_gather_args *args) */
.macro GATHER phase
FUNCTION te_depthwise_gather_\phase
    push    {r4-r11, lr}
    ldmia   r0, {r0-r5}             /* x pitch words width zero unit */
    add     r6, r1, r1, lsl #1
    add     r7, r6, r1, lsl #1
    subs    r3, #6
    blo     2f
1:  LOAD_SIX
    add     r0, r0, r6, lsl #1
    STORE_THREE \phase
    subs    r3, #6
    bhs     1b
2:  adds    r3, #6                  /* 0..5 pixels are left; padding after them */
    beq     3f
    mov     r8, r4
    mov     r9, r4
    mov     r10, r4
    mov     r11, r4
    mov     r12, r4
    mov     lr, r4
    rsb     r3, r3, #6
    lsls    r3, r3, #2
    add     pc, r3
    nop
    LOAD_SIX
    STORE_THREE \phase
3:  pop     {r4-r11, pc}
    .size te_depthwise_gather_\phase, . - te_depthwise_gather_\phase
.endm

    GATHER  0
    GATHER  1
    GATHER  2

.macro STORE_FOUR
    add     r8, r8, r10, lsl #21
    add     r9, r9, r11, lsl #21
    strd    r8, r9, [r2]
    add     r2, r2, r5
.endm

.macro ALL_PADDING
    mov     r8, r4
    mov     r9, r4
    mov     r10, r4
    mov     r11, r4
.endm

/* void te_depthwise_gather_by_2(const te_depthwise_gather_args *args); at least one whole unit of pixels */
FUNCTION te_depthwise_gather_by_2
    push    {r4-r11, lr}
    ldmia   r0, {r0-r5, r12}        /* x pitch words width zero unit padding */
    add     r6, r1, r1, lsl #1
    cmp     r12, #0
    beq     1f
    mls     r0, r12, r1, r0         /* where the unit's first pixel would be */
    add     r3, r3, r12
    ALL_PADDING
    sub     r12, #1
    lsls    r7, r12, #2
    add     pc, r7                  /* the padding pixels are skipped */
    nop
    ldrsb.w r9, [r0, r1]
    ldrsb.w r10, [r0, r1, lsl #1]
    ldrsb.w r11, [r0, r6]
    STORE_FOUR
    add     r0, r0, r1, lsl #2
    sub     r3, #4
1:  subs    r3, #4
    blo     3f
2:  ldrsb   r8, [r0]
    ldrsb   r9, [r0, r1]
    ldrsb   r10, [r0, r1, lsl #1]
    ldrsb   r11, [r0, r6]
    add     r0, r0, r1, lsl #2
    STORE_FOUR
    subs    r3, #4
    bhs     2b
3:  adds    r3, #4
    beq     4f
    ALL_PADDING
    rsb     r3, r3, #3
    lsls    r3, r3, #2
    add     pc, r3
    nop
    ldrsb.w r10, [r0, r1, lsl #1]
    ldrsb.w r9, [r0, r1]
    ldrsb.w r8, [r0, #0]
    STORE_FOUR
4:  pop     {r4-r11, pc}
    .size te_depthwise_gather_by_2, . - te_depthwise_gather_by_2

#endif
