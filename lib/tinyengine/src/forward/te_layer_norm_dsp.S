/* The loop of te_layer_norm_parts.h for Armv7E-M. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

.macro ROUNDED value /* M C e in r9-r11 */
    add     lr, r10, \value, asr #31
    smmlar  \value, \value, r9, lr
    asr     \value, \value, r11
    ssat    \value, #8, \value
.endm

.macro SCALED factor
    ldrsb   lr, [r3], #1
    rsb     lr, r8, lr, lsl #1
    mul     \factor, \factor, lr
    ROUNDED \factor
.endm

/* to = the sum of a and what lies in bits 8 to 15 of b; ma mb c in r8-r10 */
.macro LINEAR to, a, b
    lsl     \to, \a, #8
    smlawb  \to, r8, \to, r10
    smlawb  \to, r9, \b, \to
    ssat    \to, #8, \to, asr #21   /* TE_ADD_LINEAR_SHIFT */
.endm

/* void te_layer_norm_pairs(te_layer_norm_args *args) */
FUNCTION te_layer_norm_pairs
    push    {r4-r11, lr}
    add     r4, r0, #84
    ldm     r4, {r1-r3}
.Lpair:
    ldm     r0!, {r8-r12}           /* root M C e zero */
    ldr     lr, [r1], #4
    smulbb  r4, lr, r8
    smultb  r5, lr, r8
    ROUNDED r4
    ROUNDED r5
    sub     r4, r12
    sub     r5, r12
    ldm     r0!, {r8-r11}           /* negative M C e */
    mul     r6, r4, r8
    mul     r7, r5, r8
    ROUNDED r6
    ROUNDED r7
    ldm     r0!, {r8-r10}
    ldrh    lr, [r2], #2
    lsl     r12, lr, #8
    LINEAR  r6, r6, r12
    bic     lr, #255
    LINEAR  r7, r7, lr
    ldm     r0!, {r8-r11}           /* zero M C e */
    SCALED  r4
    SCALED  r5
    ldm     r0!, {r8-r12}           /* ma mb c y end */
    lsl     r6, #8
    LINEAR  r4, r4, r6
    lsl     r7, #8
    LINEAR  r5, r5, r7
    bfi     r4, r5, #8, #8
    strh    r4, [r11], #2
    str     r11, [r0, #-8]
    sub     r0, #84
    cmp     r3, r12
    bne     .Lpair
    pop     {r4-r11, pc}
    .size te_layer_norm_pairs, . - te_layer_norm_pairs

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
