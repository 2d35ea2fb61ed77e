/* Inner kernels of te_conv_fast.h for Armv7E-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

    .syntax unified
    .thumb

/* Groups of 4 k per pass of the product's loop, a power of two. */
#ifndef TE_CONV_UNROLL
#define TE_CONV_UNROLL 16
#endif

/* How the product loads operands: 0 = LDM (fewest instructions), 1 = LDRD (may pair better on a dual-issue core). */
#ifndef TE_CONV_LDRD
#define TE_CONV_LDRD 0
#endif

/* Bytes of code of one group: only 32-bit instructions, so that the loop can be entered at any group. */
#if TE_CONV_LDRD
#define GROUP_CODE_BYTES 48
#else
#define GROUP_CODE_BYTES 40
#endif

.macro FUNCTION name
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
.endm

/* ---- product --------------------------------------------------------------------------------------------------- */

.macro LOAD_GROUP
#if TE_CONV_LDRD
    ldrd    r2, r3, [r0], #8
    ldrd    r4, r5, [r0], #8
    ldrd    r6, r7, [r1], #8
    ldrd    r8, r9, [r1], #8
#else
    ldmia.w r0!, {r2-r5}
    ldmia.w r1!, {r6-r9}
#endif
.endm

.macro GROUP
    LOAD_GROUP
    smlad   r10, r2, r6, r10
    smlad   r11, r3, r6, r11
    smlad   r12, r2, r7, r12
    smlad   lr, r3, r7, lr
    smlad   r10, r4, r8, r10
    smlad   r11, r5, r8, r11
    smlad   r12, r4, r9, r12
    smlad   lr, r5, r9, lr
.endm

/* The first group starts both pixels' sums from one bias: no moves. */
.macro FIRST_GROUP
    LOAD_GROUP
    smlad   r11, r3, r6, r10
    smlad   r10, r2, r6, r10
    smlad   lr, r3, r7, r12
    smlad   r12, r2, r7, r12
    smlad   r10, r4, r8, r10
    smlad   r11, r5, r8, r11
    smlad   r12, r4, r9, r12
    smlad   lr, r5, r9, lr
.endm

/* ---- rounding: sums in r10 r11 (channel 0) r12 lr (channel 1), constants at r1 ------------------------------------ */

.macro ROUND_EXACT_ONE sum, m, c, doubled
    add     r9, \c, \sum, asr #31
    .if \doubled
    smmlar  \sum, \sum, \m, r9
    .else
    lsl     r8, \sum, #1
    smmlar  \sum, r8, \m, r9
    .endif
.endm

.macro ROUND_EXACT doubled
    ldmia   r1, {r2-r7}             /* M0 M1 C0 C1 e0 e1 */
    ROUND_EXACT_ONE r10, r2, r4, \doubled
    ROUND_EXACT_ONE r11, r2, r4, \doubled
    ROUND_EXACT_ONE r12, r3, r5, \doubled
    ROUND_EXACT_ONE lr, r3, r5, \doubled
    asr     r10, r10, r6
    asr     r11, r11, r6
    asr     r12, r12, r7
    asr     lr, lr, r7
.endm

.macro ROUND_FAST
    ldmia   r1, {r2-r5}             /* M0 M1 zero0 zero1 */
    smmlar  r10, r10, r2, r4
    smmlar  r11, r11, r2, r4
    smmlar  r12, r12, r3, r5
    smmlar  lr, lr, r3, r5
.endm

.macro ROUND_WIDE_ONE sum           /* M C e l s in r2-r6 */
    and     r8, r6, \sum, asr #31
    add     r8, r8, r3
    lsl     r9, \sum, r5
    smmlar  \sum, r9, r2, r8
    asr     \sum, \sum, r4
.endm

.macro ROUND_WIDE
    ldmia   r1!, {r2-r6}
    ROUND_WIDE_ONE r10
    ROUND_WIDE_ONE r11
    ldmia   r1!, {r2-r6}
    ROUND_WIDE_ONE r12
    ROUND_WIDE_ONE lr
.endm

/* ---- tiles ----------------------------------------------------------------------------------------------------- */

#define F_WIDE 0       /* these five are loaded together at the end of a tile */
#define F_NEXT 4       /* where the next tile's first pixel goes */
#define F_SECOND 8     /* and how far behind it the second: 0 for an odd pixel, its own partner */
#define F_END 12
#define F_STEP 16      /* bytes between pixel pairs of the output */
#define F_ENTRY 20     /* where the tile enters the unrolled loop */
#define F_WIDE_END 24  /* end of the widened weights */
#define F_COLUMNS 28
#define F_WEIGHTS 32
#define F_CHANNEL 36
#define F_OUT 40
#define F_PAIR_BYTES 44 /* output bytes of all whole pairs */
#define F_ODD_BYTES 48  /* F_STEP if there is an odd pixel, else 0 */
#define F_CHANNELS 52
#define F_GROUPS 56
#define F_LAST 60       /* end of the output, odd pixel included (rounded up to a pair) */
#define FRAME 64

/* One group of 4 k of two channels, and two groups: bytes at r0 -> int16 pairs at r1. */
.macro WIDEN_ONE
    ldmia   r0!, {r3, r4}
    sxtb16  r7, r3
    sxtb16  r8, r4
    sxtb16  r9, r3, ror #8
    sxtb16  r10, r4, ror #8
    stmia   r1!, {r7-r10}
.endm

.macro WIDEN_TWO
    ldmia.w r0!, {r3, r4, r11, r12}
    sxtb16  r5, r3
    sxtb16  r6, r4
    sxtb16  r7, r3, ror #8
    sxtb16  r8, r4, ror #8
    sxtb16  r9, r11
    sxtb16  r10, r12
    sxtb16  r11, r11, ror #8
    sxtb16  r12, r12, ror #8
    stmia   r1!, {r5-r12}
.endm

/* void name(const te_conv_tiles_args *args); groups: a constant number of groups of 4 k, or 0 for any */
.macro TILES name, round, argument, round_words, groups=0
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldmia   r0, {r1-r8}             /* columns weights wide out pairs odd channels groups */
    ldr     r0, [r0, #32]           /* first */
    sub     r4, r4, r0
    lsl     r9, r7, #1
    mul     r10, r9, r5
    mul     r6, r9, r6
    str     r3, [sp, #F_WIDE]
    str     r1, [sp, #F_COLUMNS]
    strd    r9, r10, [sp, #F_STEP]  /* the second is replaced below */
    str     r10, [sp, #F_PAIR_BYTES]
    str     r6, [sp, #F_ODD_BYTES]
    strd    r7, r8, [sp, #F_CHANNELS]
    str     r4, [sp, #F_OUT]
    str     r2, [sp, #F_WEIGHTS]
    str     r0, [sp, #F_CHANNEL]
    add     r3, r3, r8, lsl #4
    adds    r3, #8
    str     r3, [sp, #F_WIDE_END]
    .if !\groups
    sub     r8, #1
    and     r8, r8, #(TE_CONV_UNROLL - 1)
    movs    r1, #GROUP_CODE_BYTES
    adr.w   r2, .Lcheck\@
    mls     r2, r8, r1, r2
    orr     r2, r2, #1
    str     r2, [sp, #F_ENTRY]
    .endif

.Lchannels\@:
    ldr     r0, [sp, #F_WEIGHTS]
    ldr     r1, [sp, #F_WIDE]
    ldr     r2, [sp, #F_GROUPS]
    ldmia   r0!, {r3, r4}           /* biases */
    stmia   r1!, {r3, r4}
    tst     r2, #1
    beq     .Leven\@
    WIDEN_ONE
.Leven\@:
    lsrs    r2, r2, #1
    beq     .Lwidened\@
.Lwiden\@:
    WIDEN_TWO
    subs    r2, #1
    bne     .Lwiden\@
.Lwidened\@:
    .if \round_words == 4
    ldmia   r0!, {r2-r5}
    stmia   r1!, {r2-r5}
    .elseif \round_words == 6
    ldmia   r0!, {r2-r7}
    stmia   r1!, {r2-r7}
    .else
    ldmia.w r0!, {r2-r11}
    stmia   r1!, {r2-r11}
    .endif
    str     r0, [sp, #F_WEIGHTS]

    ldr     r2, [sp, #F_OUT]
    ldr     r5, [sp, #F_CHANNEL]
    ldrd    r6, r7, [sp, #F_PAIR_BYTES] /* and odd bytes */
    ldr     r8, [sp, #F_CHANNELS]
    add     r2, r2, r5
    add     r4, r2, r6
    add     r7, r4, r7
    strd    r2, r8, [sp, #F_NEXT]
    str     r4, [sp, #F_END]
    str     r7, [sp, #F_LAST]
    ldr     r0, [sp, #F_COLUMNS]
    ldr     r1, [sp, #F_WIDE]
    cmp     r2, r4
    beq     .Lodd\@

.Ltile\@:
    ldrd    r10, r12, [r1], #8
    FIRST_GROUP
    .if \groups
    .rept \groups - 1
    GROUP
    .endr
    .else
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
.Lgroups\@:                         /* the hot loop */
    .rept TE_CONV_UNROLL
    GROUP
    .endr
.Lcheck\@:
    ldr     r2, [sp, #F_WIDE_END]
    cmp     r1, r2
    bne     .Lgroups\@
    .endif

    \round  \argument
    ldmia   sp, {r1-r5}             /* wide next second end step */
    ssat    r10, #8, r10
    ssat    r11, #8, r11
    ssat    r12, #8, r12
    ssat    lr, #8, lr
    bfi     r10, r12, #8, #24
    bfi     r11, lr, #8, #24
    strh    r10, [r2]
    strh    r11, [r2, r3]
    add     r2, r5
    cmp     r2, r4
    str     r2, [sp, #F_NEXT]
    bne     .Ltile\@

.Lodd\@:
    ldr     r6, [sp, #F_LAST]
    cmp     r2, r6
    beq     .Lnext\@
    movs    r3, #0
    strd    r3, r6, [sp, #F_SECOND]
    b       .Ltile\@

.Lnext\@:                           /* two channels on; an odd number ends with (n-2, n-1) */
    ldr     r5, [sp, #F_CHANNEL]
    ldr     r8, [sp, #F_CHANNELS]
    adds    r5, #2
    subs    r6, r8, r5
    ble     .Ldone\@
    cmp     r6, #1
    it      eq
    subeq   r5, #1
    str     r5, [sp, #F_CHANNEL]
    b       .Lchannels\@
.Ldone\@:
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    TILES te_conv_tiles_exact, ROUND_EXACT, 0, 6
    TILES te_conv_tiles_exact_doubled, ROUND_EXACT, 1, 6
    TILES te_conv_tiles_wide, ROUND_WIDE, , 10
    TILES te_conv_tiles_fast, ROUND_FAST, , 4
    TILES te_conv_tiles_fast_8, ROUND_FAST, , 4, 2
    TILES te_conv_tiles_fast_16, ROUND_FAST, , 4, 4
    TILES te_conv_tiles_fast_24, ROUND_FAST, , 4, 6
    TILES te_conv_tiles_fast_28, ROUND_FAST, , 4, 7
    TILES te_conv_tiles_exact_8, ROUND_EXACT, 0, 6, 2
    TILES te_conv_tiles_exact_16, ROUND_EXACT, 0, 6, 4
    TILES te_conv_tiles_exact_24, ROUND_EXACT, 0, 6, 6
    TILES te_conv_tiles_exact_28, ROUND_EXACT, 0, 6, 7
    TILES te_conv_tiles_exact_doubled_8, ROUND_EXACT, 1, 6, 2
    TILES te_conv_tiles_exact_doubled_16, ROUND_EXACT, 1, 6, 4
    TILES te_conv_tiles_exact_doubled_24, ROUND_EXACT, 1, 6, 6
    TILES te_conv_tiles_exact_doubled_28, ROUND_EXACT, 1, 6, 7

/* ---- gather ---------------------------------------------------------------------------------------------------- */

#define G_RUNS 0
#define G_COUNT 4
#define G_TAIL 8
#define G_PAIRS 12
#define G_COLUMN_BYTES 16
#define G_TAIL_OFFSET 20
#define G_NEXT 24
#define G_FRAME 32         /* lr holds the base of the runs' offsets */

/* 4 bytes of p0 (r4) and p1 (r5) -> one group at r3. */
.macro GATHER_ONE doubled
    ldr     r6, [r4], #4
    ldr     r7, [r5], #4
    sxtb16  r8, r6, ror #8
    sxtb16  r9, r7, ror #8
    sxtb16  r6, r6
    sxtb16  r7, r7
    .if \doubled
    sadd16  r8, r8, r8
    sadd16  r9, r9, r9
    sadd16  r6, r6, r6
    sadd16  r7, r7, r7
    .endif
    stmia   r3!, {r6-r9}
.endm

/* A byte each -> a half of the tail at r10. */
.macro GATHER_TAIL doubled
    ldrsb   r6, [r4], #1
    ldrsb   r7, [r5], #1
    .if \doubled
    lsl     r6, r6, #1
    lsl     r7, r7, #1
    .endif
    strh    r6, [r10]
    strh    r7, [r10, #4]
    add     r10, r10, r11
    eor     r11, r11, #4
.endm

/* void name(const te_conv_gather_args *args); run_bytes: their constant number, or 0 for any */
.macro GATHER name, doubled, run_bytes=0
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #G_FRAME
    ldr     lr, [r0], #4
    ldmia   r0, {r4-r10}            /* runs n_runs run_groups run_tail columns pairs groups */
    mov     r2, r6
    mov     r3, r8
    lsl     r10, r10, #4
    mul     r11, r5, r6
    lsl     r11, r11, #4
    strd    r4, r5, [sp, #G_RUNS]
    strd    r7, r9, [sp, #G_TAIL]
    strd    r10, r11, [sp, #G_COLUMN_BYTES]

.Lpair\@:
    ldrd    r0, r1, [sp, #G_RUNS]
    ldrd    r6, r10, [sp, #G_COLUMN_BYTES]
    add     r10, r10, r3            /* the tail */
    add     r6, r6, r3
    str     r6, [sp, #G_NEXT]
    movs    r11, #2                 /* bytes to the tail's next value: 2, 6, 2, 6... */
.Lrun\@:
    ldmia   r0, {r4-r6}             /* p0 p1 step */
    add     r7, r4, r6
    add     r8, r5, r6
    strd    r7, r8, [r0], #12
    add     r4, r4, lr
    add     r5, r5, lr
    .if \run_bytes
    .rept \run_bytes / 4
    GATHER_ONE \doubled
    .endr
    .rept \run_bytes % 4
    GATHER_TAIL \doubled
    .endr
    .else
    lsrs    r12, r2, #1
    beq     .Lsingle\@
.Ltwice\@:
    GATHER_ONE \doubled
    GATHER_ONE \doubled
    subs    r12, #1
    bne     .Ltwice\@
.Lsingle\@:
    tst     r2, #1
    beq     .Ltail\@
    GATHER_ONE \doubled
.Ltail\@:
    ldr     r12, [sp, #G_TAIL]
    cmp     r12, #0
    beq     .Lrun_done\@
.Lbyte\@:
    GATHER_TAIL \doubled
    subs    r12, #1
    bne     .Lbyte\@
.Lrun_done\@:
    .endif
    subs    r1, #1
    bne     .Lrun\@
    ldr     r3, [sp, #G_NEXT]
    ldr     r12, [sp, #G_PAIRS]
    subs    r12, #1
    str     r12, [sp, #G_PAIRS]
    bne     .Lpair\@
    add     sp, #G_FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    GATHER te_conv_gather, 0
    GATHER te_conv_gather_doubled, 1
    GATHER te_conv_gather_9, 0, 9
    GATHER te_conv_gather_doubled_9, 1, 9

#endif
