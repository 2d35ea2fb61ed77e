/* te_copy_words for Armv7E-M. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"
FUNCTION te_copy_words
    push    {r4-r10, lr}
    subs    r2, #8
    blo     .Lrest
.Leight:
    ldmia.w r1!, {r3-r10}
    subs    r2, #8
    stmia.w r0!, {r3-r10}
    bhs     .Leight
.Lrest:
    adds    r2, #8
    beq     .Ldone
.Lone:
    ldr     r3, [r1], #4
    subs    r2, #1
    str     r3, [r0], #4
    bne     .Lone
.Ldone:
    pop     {r4-r10, pc}
    .size te_copy_words, . - te_copy_words

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
