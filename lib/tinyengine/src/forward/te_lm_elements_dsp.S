/* Norm and gate of language models for Armv7E-M, element by element: the loops of te_lm_norm and te_lm_gate. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* uint32_t te_lm_norm_bits(const int32_t *x, uint32_t width): which bits differ from the sign, of all x. width: a multiple
 * of 8, as in all loops of the norm. 20 instructions per 8. */
FUNCTION te_lm_norm_bits
    push    {r4-r6, lr}
    add     r1, r0, r1, lsl #2
    movs    r2, #0
.Lbits:
    .rept 2
    ldmia   r0!, {r3-r6}
    .irp x, r3, r4, r5, r6
    eor     \x, \x, \x, asr #31
    orrs    r2, r2, \x
    .endr
    .endr
    cmp     r0, r1
    bne     .Lbits
    mov     r0, r2
    pop     {r4-r6, pc}
    .size te_lm_norm_bits, . - te_lm_norm_bits

/* uint64_t te_lm_norm_squares(const int32_t *x, uint32_t width, uint32_t left, uint32_t *y): the upper halves of
 * x << left to y; the sum of their squares. 22 instructions per 8. */
FUNCTION te_lm_norm_squares
    push    {r4-r9, lr}
    add     r1, r0, r1, lsl #2
    movs    r4, #0
    movs    r5, #0
.Lsquares:
    .rept 2
    ldmia.w r0!, {r6-r9}
    lsl     r6, r6, r2
    lsl     r7, r7, r2
    lsl     r8, r8, r2
    lsl     r9, r9, r2
    pkhtb   r6, r7, r6, asr #16
    pkhtb   r8, r9, r8, asr #16
    smlald  r4, r5, r6, r6
    smlald  r4, r5, r8, r8
    strd    r6, r8, [r3], #8
    .endr
    cmp     r0, r1
    bne     .Lsquares
    mov     r0, r4
    mov     r1, r5
    pop     {r4-r9, pc}
    .size te_lm_norm_squares, . - te_lm_norm_squares

/* Two values of y times factor, their gains. */
.macro SCALE y, gains
    smlawb  r10, r3, \y, r4
    smlawt  \y, r3, \y, r4
    asr     r10, r10, r5
    asr     \y, \y, r5
    smlabb  r10, r10, \gains, lr
    smlabt  \y, \y, \gains, lr
    lsl     \y, \y, #1
    pkhtb   \y, \y, r10, asr #15
.endm

/* void te_lm_norm_scale(const te_lm_scale_args *args): in place; 40 instructions per 8. r0 y, r1 gains, r2 end, r3 factor,
 * r4 half, r5 shift, r6 r7 y, r8 r9 gains, lr half of 2^15. */
FUNCTION te_lm_norm_scale
    push    {r4-r11, lr}
    ldmia.w r0, {r0-r5}
    add     r2, r0, r2, lsl #1
    mov     lr, #0x4000
.Lscale:
    .rept 2
    ldrd    r6, r7, [r0]
    ldrd    r8, r9, [r1], #8
    SCALE   r6, r8
    SCALE   r7, r9
    strd    r6, r7, [r0], #8
    .endr
    cmp     r0, r2
    bne     .Lscale
    pop     {r4-r11, pc}
    .size te_lm_norm_scale, . - te_lm_norm_scale

/* u becomes the gated value. */
.macro GATE u, g
    ssat    r10, #14, \u
    ssat    \u, #16, \u
    asr     r11, r10, #6
    ldr     r11, [r3, r11, lsl #1]  /* two neighbours of the table */
    ubfx    r10, r10, #0, #6
    rsb     r10, r10, r10, lsl #16
    add     r10, r10, #64           /* 64 - fraction, fraction */
    smlad   r11, r11, r10, lr
    ssat    \g, #16, \g
    asr     r11, r11, #6
    smlabb  r11, \u, r11, r12
    asr     r11, r11, #15
    smulbb  r11, r11, \g
    smmulr  r11, r11, r4
    ssat    \u, #12, r11
.endm

/* void te_lm_gate_pairs(const te_lm_gate_args *args): 36 instructions per 2. r0 u, r1 g, r2 h, r3 the table's middle, r4
 * multiplier, r5 end of u, r6 r7 u, r8 r9 g, r12 half of 2^15, lr half of 64. */
FUNCTION te_lm_gate_pairs
    push    {r4-r11, lr}
    ldmia.w r0, {r0-r5}             /* u g h table multiplier width */
    add     r5, r0, r5, lsl #2
    add     r3, r3, #256
    mov     r12, #0x4000
    mov     lr, #32
.Lgate:
    ldrd    r6, r7, [r0], #8
    ldrd    r8, r9, [r1], #8
    GATE    r6, r8
    GATE    r7, r9
    pkhbt   r6, r6, r7, lsl #16
    str     r6, [r2], #4
    cmp     r0, r5
    bne     .Lgate
    pop     {r4-r11, pc}
    .size te_lm_gate_pairs, . - te_lm_gate_pairs

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
