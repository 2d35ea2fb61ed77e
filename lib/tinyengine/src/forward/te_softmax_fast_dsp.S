/* Loops of te_softmax_parts.h for Armv7E-M. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* int32_t te_softmax_largest(const int8_t *x, uint32_t quads) */
.macro LARGER word
    ssub8   r12, \word, r2
    sel     r2, \word, r2
.endm

FUNCTION te_softmax_largest
    push    {r4-r6, lr}
    ldr     r2, [r0]
    subs    r1, #8
    blo     .Llargest_rest
.Llargest_eight:
    .rept   2
    ldm     r0!, {r3-r6}
    LARGER  r3
    LARGER  r4
    LARGER  r5
    LARGER  r6
    .endr
    subs    r1, #8
    bhs     .Llargest_eight
.Llargest_rest:
    adds    r1, #8
    beq     .Llargest_done
.Llargest_one:
    ldr     r3, [r0], #4
    LARGER  r3
    subs    r1, #1
    bne     .Llargest_one
.Llargest_done:
    ror     r3, r2, #16
    LARGER  r3
    ror     r3, r2, #8
    LARGER  r3
    sxtb    r0, r2
    pop     {r4-r6, pc}
    .size te_softmax_largest, . - te_softmax_largest

/* int32_t te_softmax_gather(const int8_t *x, const int32_t *exp, uint32_t quads, int32_t *to) */
.macro GATHER at
    ldrsb   r4, [r0, #(\at)]
    ldrsb   r5, [r0, #(\at + 1)]
    ldrsb   r6, [r0, #(\at + 2)]
    ldrsb   r7, [r0, #(\at + 3)]
    ldr     r4, [r1, r4, lsl #2]
    ldr     r5, [r1, r5, lsl #2]
    ldr     r6, [r1, r6, lsl #2]
    ldr     r7, [r1, r7, lsl #2]
    smmlar  r12, r4, lr, r12
    smmlar  r12, r5, lr, r12
    smmlar  r12, r6, lr, r12
    smmlar  r12, r7, lr, r12
    stm     r3!, {r4-r7}
.endm

FUNCTION te_softmax_gather
    push    {r4-r7, lr}
    mov     r12, #0
    mov     lr, #(1 << 19)
    subs    r2, #8
    blo     .Lgather_rest
.Lgather_eight:
    .irp    at, 0, 4, 8, 12, 16, 20, 24, 28
    GATHER  \at
    .endr
    adds    r0, #32
    subs    r2, #8
    bhs     .Lgather_eight
.Lgather_rest:
    adds    r2, #8
    beq     .Lgather_done
.Lgather_one:
    GATHER  0
    adds    r0, #4
    subs    r2, #1
    bne     .Lgather_one
.Lgather_done:
    mov     r0, r12
    pop     {r4-r7, pc}
    .size te_softmax_gather, . - te_softmax_gather

/* void name(const te_softmax_shares_args *args); r0 from, r1 y, r2 quads, r3 factor, r8 add, r9 mask, r10 shift */
.macro SHARE product, doubled
    ldm     r0!, {r4-r7}
    \product r4, r4, r3, r8
    \product r5, r5, r3, r8
    \product r6, r6, r3, r8
    \product r7, r7, r3, r8
    pkhtb   r7, r7, r5, asr #16
    pkhtb   r6, r6, r4, asr #16
    and     r7, r7, r9
    and     r6, r6, r9
    .if     \doubled
    lsl     r7, r7, #1
    orr     r7, r7, r6, lsr #7
    .else
    orr     r7, r7, r6, lsr #8
    lsr     r7, r7, r10
    .endif
    eor     r7, r7, #0x80808080
    str     r7, [r1], #4
.endm

.macro SHARES name, product, doubled
FUNCTION \name
    push    {r4-r10, lr}
    ldm     r0, {r0-r3, r8-r10}
    subs    r2, #8
    blo     .Lshares_rest\@
.Lshares_eight\@:
    .rept   8
    SHARE   \product, \doubled
    .endr
    subs    r2, #8
    bhs     .Lshares_eight\@
.Lshares_rest\@:
    adds    r2, #8
    beq     .Lshares_done\@
.Lshares_one\@:
    SHARE   \product, \doubled
    subs    r2, #1
    bne     .Lshares_one\@
.Lshares_done\@:
    pop     {r4-r10, pc}
    .size \name, . - \name
.endm

    SHARES te_softmax_shares_even, smmlar, 0
    SHARES te_softmax_shares_odd, smmla, 0
    SHARES te_softmax_shares_even_23, smmlar, 1
    SHARES te_softmax_shares_odd_23, smmla, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
