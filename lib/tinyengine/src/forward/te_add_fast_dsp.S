/* Inner kernels of te_add_fast.h for Armv7E-M; those for Helium are in te_add_fast.c. */
#if defined(__ARM_FEATURE_DSP) && !defined(__ARM_FEATURE_MVE) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* ka ca ma ea in r4-r7, kb c m e in r8-r11. */
.macro ELEMENT
    ldrsb   r12, [r0], #1
    add     r12, r4, r12, lsl #21
    add     lr, r5, r12, asr #31
    smmlar  r12, r12, r6, lr
    asr     r12, r12, r7
    ldrsb   lr, [r1], #1
    add     lr, r8, lr, lsl #20
    add     r12, lr, r12, lsl #1
    add     lr, r9, r12, asr #31
    smmlar  r12, r12, r10, lr
    asr     r12, r12, r11
    ssat    r12, #8, r12
    strb    r12, [r2], #1
.endm

/* Both: void name(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count) */
FUNCTION te_add_scaled
    push    {r4-r11, lr}
    ldmia   r0, {r4-r11}
    mov     r0, r1
    mov     r1, r2
    mov     r2, r3
    ldr     r3, [sp, #36]
    and     r12, r3, #3
    add     r3, r0
    cmp     r12, #0
    beq     2f
    add     r12, r0                 /* first the count modulo 4, kept where no register is needed */
    push    {r12}
1:  ELEMENT
    ldr     r12, [sp]
    cmp     r0, r12
    bne     1b
    add     sp, #4
2:  cmp     r0, r3
    beq     4f
3:  ELEMENT
    ELEMENT
    ELEMENT
    ELEMENT
    cmp     r0, r3
    bne     3b
4:  pop     {r4-r11, pc}
    .size te_add_scaled, . - te_add_scaled

/* ---- te_add_linear: Ma Mb C in r4-r6, r7 picks every other byte, r8-r12 and lr hold four elements -------------- */

#define SHIFT 21            /* TE_ADD_LINEAR_SHIFT */

/* Values times 256, two in a word: elements 1 and 3 as they lie, 0 and 2 from the word shifted by a byte. */
.macro FOUR
    ldr     r8, [r0], #4
    ldr     r9, [r1], #4
    and     r10, r7, r8, lsl #8
    and     r8, r7, r8
    and     r11, r7, r9, lsl #8
    and     r9, r7, r9
    smlawb  r12, r4, r10, r6
    smlawt  r10, r4, r10, r6
    smlawb  lr, r4, r8, r6
    smlawt  r8, r4, r8, r6
    smlawb  r12, r5, r11, r12
    smlawt  r10, r5, r11, r10
    smlawb  lr, r5, r9, lr
    smlawt  r8, r5, r9, r8
    ssat    r12, #8, r12, asr #SHIFT
    ssat    r10, #8, r10, asr #SHIFT
    ssat    lr, #8, lr, asr #SHIFT
    ssat    r8, #8, r8, asr #SHIFT
    bfi     r12, lr, #8, #24
    bfi     r10, r8, #8, #24
    pkhbt   r12, r12, r10, lsl #16
    str     r12, [r2], #4
.endm

FUNCTION te_add_linear
    push    {r4-r11, lr}
    ldr     r4, [r0, #8]            /* ma */
    ldr     r5, [r0, #24]           /* m */
    ldr     r6, [r0, #20]           /* c */
    mov     r0, r1
    mov     r1, r2
    mov     r2, r3
    ldr     r3, [sp, #36]
    mov     r7, #0xff00ff00
    ands    r12, r3, #7
    add     r3, r0
    beq     3f
    add     r12, r0                 /* first the count modulo 8, kept where no register is needed */
    push    {r12}
1:  ldrsb   r8, [r0], #1
    ldrsb   r9, [r1], #1
    lsl     r8, r8, #8
    lsl     r9, r9, #8
    smlawb  r8, r4, r8, r6
    smlawb  r8, r5, r9, r8
    ssat    r8, #8, r8, asr #SHIFT
    strb    r8, [r2], #1
    ldr     r12, [sp]
    cmp     r0, r12
    bne     1b
    add     sp, #4
3:  cmp     r0, r3
    beq     4f
2:  FOUR
    FOUR
    cmp     r0, r3
    bne     2b
4:  pop     {r4-r11, pc}
    .size te_add_linear, . - te_add_linear

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
