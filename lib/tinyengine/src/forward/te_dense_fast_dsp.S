/* Inner kernels of te_dense_fast.h for Armv7E-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* Groups of 4 inputs per pass of the loop, a power of two. */
#define TE_DENSE_UNROLL 4
#define GROUP_CODE_BYTES 72 /* only 32-bit instructions, so that the loop can be entered at any group */

.macro TIMES_X bytes, sum
    sxtb16  r12, \bytes
    smlad   \sum, r2, r12, \sum
    sxtb16  r12, \bytes, ror #8
    smlad   \sum, r3, r12, \sum
.endm

.macro GROUP_OF_ROWS
    ldrd    r2, r3, [r0], #8
    ldmia.w r1!, {r4-r7}
    TIMES_X r4, r8
    TIMES_X r5, r9
    TIMES_X r6, r10
    TIMES_X r7, r11
.endm

/* Products of a word of pairs of rows with x: `both` of the raw halfwords, `first` of their low bytes. */
.macro TIMES_PAIRS w0, w1, x
    smlad   r9, \w0, \x, r9
    smlad   r11, \w1, \x, r11
    sxtb16  \w0, \w0
    sxtb16  \w1, \w1
    smlad   r8, \w0, \x, r8
    smlad   r10, \w1, \x, r10
.endm

/* Single loads, of which a Cortex-M4 overlaps all but the first. */
.macro GROUP_OF_PAIRS
    ldr.w   r3, [r0, #4]
    ldr.w   r2, [r0], #8
    ldr.w   r5, [r1, #4]
    ldr.w   r6, [r1, #8]
    ldr.w   r7, [r1, #12]
    ldr.w   r4, [r1], #16
    TIMES_PAIRS r4, r5, r2
    TIMES_PAIRS r6, r7, r3
.endm

.macro SUMS_OF_ROWS
.endm

.macro SUMS_OF_PAIRS
    sub     r9, r9, r8
    sub     r11, r11, r10
    asr     r9, r9, #8
    asr     r11, r11, #8
.endm

/* Rounding of one sum; r12 and lr are free. */
.macro EXACT sum, m, c, e
    add     lr, \c, \sum, asr #31
    lsl     r12, \sum, #1
    smmlar  \sum, r12, \m, lr
    asr     \sum, \sum, \e
    ssat    \sum, #8, \sum
.endm

.macro ONCE sum, m, c, e
    asr     r12, \sum, #31
    add     lr, \c, r12
    smlal   r12, lr, \sum, \m
    asr     \sum, lr, \e
    ssat    \sum, #8, \sum
.endm

.macro ROUND_FOUR rounding
    ldmia   r1!, {r2-r7}            /* M C e, M C e */
    \rounding r8, r2, r3, r4
    \rounding r9, r5, r6, r7
    ldmia   r1!, {r2-r7}
    \rounding r10, r2, r3, r4
    \rounding r11, r5, r6, r7
.endm

/* The same with constants M C e l s in r2-r6. */
.macro EXACT_WIDE sum
    and     lr, r6, \sum, asr #31
    add     lr, lr, r3
    lsl     r12, \sum, r5
    smmlar  \sum, r12, r2, lr
    asr     \sum, \sum, r4
    ssat    \sum, #8, \sum
.endm

.macro ONCE_WIDE sum
    lsl     \sum, \sum, r5
    ONCE    \sum, r2, r3, r4
.endm

.macro ROUND_FOUR_WIDE rounding
    ldmia   r1!, {r2-r6}
    \rounding r8
    ldmia   r1!, {r2-r6}
    \rounding r9
    ldmia   r1!, {r2-r6}
    \rounding r10
    ldmia   r1!, {r2-r6}
    \rounding r11
.endm

.macro ROUND_NONE rounding
.endm

.macro STORE_BYTES
    bfi     r8, r9, #8, #8
    bfi     r10, r11, #8, #24
    pkhbt   r8, r8, r10, lsl #16
    str     r8, [r2], #4
.endm

.macro STORE_WORDS
    stmia   r2!, {r8-r11}
.endm

.macro FAST sum, m, zero
    smmlar  \sum, \sum, \m, \zero
    ssat    \sum, #8, \sum
.endm

.macro ROUND_FOUR_FAST rounding
    ldmia.w r1!, {r2-r7, r12, lr}   /* M zero of each */
    \rounding r8, r2, r3
    \rounding r9, r4, r5
    \rounding r10, r6, r7
    \rounding r11, r12, lr
.endm

#define F_ENTRY 0  /* where a pass enters the unrolled loop */
#define F_X 4
#define F_X_END 8
#define F_Y 12
#define F_QUADS 16
#define FRAME 24

/* void name(const te_dense_args *args) */
.macro DENSE name, of, round, rounding, store=STORE_BYTES
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldmia   r0, {r0, r1, r4-r6}     /* x weights y quads groups */
    strd    r4, r5, [sp, #F_Y]
    add     r2, r0, r6, lsl #3
    strd    r0, r2, [sp, #F_X]
    rsb     r6, r6, #0              /* skip what the first pass has too many of */
    and     r6, r6, #(TE_DENSE_UNROLL - 1)
    movs    r3, #GROUP_CODE_BYTES
    adr.w   r2, .Lgroups\@
    mla     r2, r6, r3, r2
    orr     r2, r2, #1
    str     r2, [sp, #F_ENTRY]
.Lquad\@:
    ldr     r0, [sp, #F_X]
    ldr     lr, [sp, #F_X_END]
    ldmia   r1!, {r8-r11}           /* biases */
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
.Lgroups\@:                         /* the hot loop */
    .rept TE_DENSE_UNROLL
    GROUP_\of
    .endr
    cmp     r0, lr
    bne     .Lgroups\@
    SUMS_\of
    \round  \rounding
    ldrd    r2, r3, [sp, #F_Y]
    \store
    subs    r3, #1
    strd    r2, r3, [sp, #F_Y]
    bne     .Lquad\@
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* Pairs of rows with two inputs: r4-r7 sums of the first one, r8-r11 of the second. */
.macro HALF_GROUP_TWICE
    ldr.w   r2, [r0, #4]
    ldr.w   r3, [r0], #8
    ldr.w   lr, [r1, #4]
    ldr.w   r12, [r1], #8
    smlad   r5, r12, r3, r5
    smlad   r7, lr, r3, r7
    smlad   r9, r12, r2, r9
    smlad   r11, lr, r2, r11
    sxtb16  r12, r12
    sxtb16  lr, lr
    smlad   r4, r12, r3, r4
    smlad   r6, lr, r3, r6
    smlad   r8, r12, r2, r8
    smlad   r10, lr, r2, r10
.endm

.macro SECOND first, both
    sub     \both, \both, \first
    asr     \both, \both, #8
.endm

#define HALF_GROUPS_CODE_BYTES 112 /* of a group */

FUNCTION te_dense_sums_twice
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldmia   r0, {r0, r1, r4-r6}     /* x weights y quads groups */
    strd    r4, r5, [sp, #F_Y]
    add     r2, r0, r6, lsl #4
    strd    r0, r2, [sp, #F_X]
    rsb     r6, r6, #0
    and     r6, r6, #(TE_DENSE_UNROLL - 1)
    movs    r3, #HALF_GROUPS_CODE_BYTES
    adr.w   r2, .Lgroups_twice
    mla     r2, r6, r3, r2
    orr     r2, r2, #1
    str     r2, [sp, #F_ENTRY]
.Lquad_twice:
    ldr     r0, [sp, #F_X]
    ldmia   r1!, {r4-r7}            /* biases */
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
.Lgroups_twice:                     /* the hot loop */
    .rept 2 * TE_DENSE_UNROLL
    HALF_GROUP_TWICE
    .endr
    ldr     r2, [sp, #F_X_END]
    cmp     r0, r2
    bne     .Lgroups_twice
    SECOND  r4, r5
    SECOND  r6, r7
    SECOND  r8, r9
    SECOND  r10, r11
    ldrd    r2, r3, [sp, #F_Y]
    stmia   r2!, {r4-r11}
    subs    r3, #1
    strd    r2, r3, [sp, #F_Y]
    bne     .Lquad_twice
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size te_dense_sums_twice, . - te_dense_sums_twice

    DENSE te_dense_exact, OF_ROWS, ROUND_FOUR, EXACT
    DENSE te_dense_once, OF_ROWS, ROUND_FOUR, ONCE
    DENSE te_dense_exact_wide, OF_ROWS, ROUND_FOUR_WIDE, EXACT_WIDE
    DENSE te_dense_once_wide, OF_ROWS, ROUND_FOUR_WIDE, ONCE_WIDE
    DENSE te_dense_fast, OF_ROWS, ROUND_FOUR_FAST, FAST
    DENSE te_dense_exact_pairs, OF_PAIRS, ROUND_FOUR, EXACT
    DENSE te_dense_once_pairs, OF_PAIRS, ROUND_FOUR, ONCE
    DENSE te_dense_fast_pairs, OF_PAIRS, ROUND_FOUR_FAST, FAST
    DENSE te_dense_sums, OF_ROWS, ROUND_NONE, , STORE_WORDS
    DENSE te_dense_sums_pairs, OF_PAIRS, ROUND_NONE, , STORE_WORDS

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
