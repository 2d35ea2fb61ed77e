/* Attention of a pair of query heads that share a key head, for Armv7E-M; layouts: te_lm_kernels.h. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* --- scores --- */

/* A slot of 8 channels; head 0's q in r4-r7, head 1's in r8-r11. */
.macro SLOT_8 at
    ldmia   r0!, {r2, r3}
    sxtb16  lr, r2
    smuad   r12, r4, lr
    smuad   lr, r8, lr
    sxtb16  r2, r2, ror #8
    smlad   r12, r5, r2, r12
    smlad   lr, r9, r2, lr
    sxtb16  r2, r3
    smlad   r12, r6, r2, r12
    smlad   lr, r10, r2, lr
    sxtb16  r3, r3, ror #8
    smlad   r12, r7, r3, r12
    smlad   lr, r11, r3, lr
    ssat    r12, #16, r12, asr #4
    ssat    lr, #16, lr, asr #4
    strh    r12, [r1, #\at]
.endm

/* void te_lm_scores_8_2(const te_lm_scores_args *args): 71 instructions per 4 slots. r0 keys, r1 scores less 2 */
FUNCTION te_lm_scores_8_2
    push    {r4-r11, lr}
    sub     sp, #4
    ldmia   r0, {r0-r3}             /* keys q scores slots */
    add     r3, r0, r3, lsl #3
    str     r3, [sp]
    mov     r12, r1
    sub     r1, r2, #2
    ldmia.w r12, {r4-r11}
.Lslots_8:
    SLOT_8  2
    strh    lr, [r1, #6]
    SLOT_8  4
    strh    lr, [r1, #8]
    SLOT_8  10
    strh    lr, [r1, #14]
    SLOT_8  12
    strh    lr, [r1, #16]!
    ldr     r2, [sp]
    cmp     r0, r2
    bne     .Lslots_8
    add     sp, #4
    pop     {r4-r11, pc}
    .size te_lm_scores_8_2, . - te_lm_scores_8_2

/* 4 channels of one slot: q of both heads in r8-r11, their sums in a and b. */
.macro SLOT_4 keys, a, b
    ldr     r12, [\keys], #4
    sxtb16  lr, r12
    smlad   \a, r8, lr, \a
    smlad   \b, r10, lr, \b
    sxtb16  r12, r12, ror #8
    smlad   \a, r9, r12, \a
    smlad   \b, r11, r12, \b
.endm

#define S_SCORES 0
#define S_KEYS_END 4
#define S_WIDTH 8
#define S_Q 12 /* of four channels each: head 0, head 1 */
#define S_FRAME 20

/* void te_lm_scores_2(const te_lm_scores_args *args, uint32_t *q), width a multiple of 8; q: 4 * width bytes of scratch.
 * Two slots at a time: r0 r2 their keys, r1 q, r3 end of q, r4 r5 sums of the first slot, r6 r7 of the second. 15
 * instructions per 4 channels of both slots, 18 per 2 slots. */
FUNCTION te_lm_scores_2
    push    {r4-r11, lr}
    sub     sp, #S_FRAME
    str     r1, [sp, #S_Q]
    ldmia   r0, {r0, r2, r4, r5, r6} /* keys q scores slots width */
    str     r4, [sp, #S_SCORES]
    mla     r5, r5, r6, r0
    strd    r5, r6, [sp, #S_KEYS_END]
    add     r3, r2, r6, lsl #1      /* head 1's q */
    mov     r12, r3
.Linterleave:
    ldrd    r8, r9, [r2], #8
    ldrd    r10, r11, [r3], #8
    stmia.w r1!, {r8-r11}
    cmp     r2, r12
    bne     .Linterleave
    mov     r3, r1                  /* end of q */
    mov     r2, r0
.Ltwo_slots:
    mov     r0, r2
    ldr     r12, [sp, #S_WIDTH]
    add     r2, r0, r12
    ldr     r1, [sp, #S_Q]
    movs    r4, #0
    movs    r5, #0
    movs    r6, #0
    movs    r7, #0
.Lchannels:
    .rept 2
    ldmia.w r1!, {r8-r11}
    SLOT_4  r0, r4, r5
    SLOT_4  r2, r6, r7
    .endr
    cmp     r1, r3
    bne     .Lchannels
    ldrd    r12, lr, [sp, #S_SCORES] /* and the end of the keys */
    ssat    r4, #16, r4, asr #4
    ssat    r5, #16, r5, asr #4
    ssat    r6, #16, r6, asr #4
    ssat    r7, #16, r7, asr #4
    pkhbt   r4, r4, r6, lsl #16
    pkhbt   r5, r5, r7, lsl #16
    strd    r4, r5, [r12], #8
    str     r12, [sp, #S_SCORES]
    cmp     r2, lr
    bne     .Ltwo_slots
    add     sp, #S_FRAME
    pop     {r4-r11, pc}
    .size te_lm_scores_2, . - te_lm_scores_2

/* --- weights --- */

/* The larger of both halves with those in best. */
.macro LARGER best, scores
    ssub16  r12, \best, \scores
    sel     \best, \best, \scores
.endm

/* Both halves of r5 or r6, taken from the largest score: 11 instructions. r9-r12 are free; lr: two ones. */
.macro WEIGH scores, largest, sum
    ssub16  \scores, \largest, \scores
    uxtb    r9, \scores
    ubfx    r10, \scores, #8, #8
    ldrh    r9, [r2, r9, lsl #1]
    uxtb    r11, \scores, ror #16
    ldrh    r11, [r2, r11, lsl #1]
    lsr     r12, \scores, #24
    lsr     r9, r9, r10
    lsr     r11, r11, r12
    pkhbt   \scores, r9, r11, lsl #16
    smlad   \sum, \scores, lr, \sum
.endm

/* void te_lm_softmax_2(int16_t *scores, uint32_t slots, const uint16_t *table, uint32_t *sums), slots a multiple of 8.
 * r0 scores, r1 their end, r2 table, r3 r4 largest, r5 r6 scores of two slots, r7 r8 sums. BUDGET: 118 instructions per
 * 8 slots of two heads. */
FUNCTION te_lm_softmax_2
    push    {r3-r11, lr}
    add     r1, r0, r1, lsl #2
    mov     r7, r0
    ldrd    r3, r4, [r0]
.Llargest:
    .rept 2
    ldmia.w r0!, {r8-r11}
    LARGER  r3, r8
    LARGER  r4, r9
    LARGER  r3, r10
    LARGER  r4, r11
    .endr
    cmp     r0, r1
    bne     .Llargest
    mov     r0, r7
    ror     r5, r3, #16
    LARGER  r3, r5
    ror     r5, r4, #16
    LARGER  r4, r5
    movs    r7, #0
    mov     r8, #0
    mov     lr, #0x00010001
.Lweigh:
    .rept 4
    ldrd    r5, r6, [r0]
    WEIGH   r5, r3, r7
    WEIGH   r6, r4, r8
    strd    r5, r6, [r0], #8
    .endr
    cmp     r0, r1
    bne     .Lweigh
    pop     {r3}
    strd    r7, r8, [r3]
    pop     {r4-r11, pc}
    .size te_lm_softmax_2, . - te_lm_softmax_2

/* --- sums of values --- */

/* Two channels of two slots: weights of both heads in r12 and lr. */
.macro CHANNELS a0, a1, b0, b1
    sxtb16  r3, r2
    smlad   \a0, r3, r12, \a0
    smlad   \b0, r3, lr, \b0
    sxtb16  r2, r2, ror #8
    smlad   \a1, r2, r12, \a1
    smlad   \b1, r2, lr, \b1
.endm

#define V_VALUES 0
#define V_WEIGHTS 4
#define V_WEIGHTS_END 8
#define V_SUMS 12
#define V_SUMS_END 16 /* of head 0 */
#define V_ROW 20 /* bytes of values of two slots, less 4 */
#define V_FRAME 28

/* Sums of four channels at a time: r0 values, r1 weights, r4-r7 sums of head 0, r8-r11 of head 1. wide 0: 8 channels, 63
 * instructions per 8 slots; 1: any multiple of 4, 71. */
.macro VALUES name, wide
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #V_FRAME
    ldmia   r0, {r0-r4}             /* values weights sums slots width */
    str     r0, [sp, #V_VALUES]
    add     r3, r1, r3, lsl #2
    strd    r1, r3, [sp, #V_WEIGHTS]
    add     r3, r2, r4, lsl #2
    strd    r2, r3, [sp, #V_SUMS]
    lsl     r4, r4, #1
    sub     r4, r4, #4
    str     r4, [sp, #V_ROW]
.Lfour\@:
    ldrd    r0, r1, [sp, #V_VALUES]
    mov     r4, #0
    mov     r5, #0
    mov     r6, #0
    mov     r7, #0
    mov     r8, #0
    mov     r9, #0
    mov     r10, #0
    mov     r11, #0
.Lslots\@:
    .rept 4
    ldrd    r12, lr, [r1], #8
    ldr     r2, [r0], #4
    CHANNELS r4, r5, r8, r9
    .if \wide
    ldr     r3, [sp, #V_ROW]
    ldr     r2, [r0]
    add     r0, r0, r3
    .else
    ldr     r2, [r0], #12
    .endif
    CHANNELS r6, r7, r10, r11
    .endr
    ldr     r2, [sp, #V_WEIGHTS_END]
    cmp     r1, r2
    bne     .Lslots\@
    ldrd    r0, r1, [sp, #V_SUMS]
    ldr     r2, [sp, #V_ROW]
    ldr     r3, [sp, #V_VALUES]
    add     r2, r2, r2
    add     r2, r2, #8              /* of head 1 behind head 0: 4 bytes per channel */
    add     r2, r2, r0
    stmia   r0!, {r4-r7}
    stmia.w r2, {r8-r11}
    add     r3, r3, #8
    str     r3, [sp, #V_VALUES]
    str     r0, [sp, #V_SUMS]
    cmp     r0, r1
    bne     .Lfour\@
    add     sp, #V_FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    VALUES te_lm_values_8_2, 0
    VALUES te_lm_values_2, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
