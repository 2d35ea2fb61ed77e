/* Inner kernels of te_gradient_sums.h for Armv7E-M. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

/* Gradients of 4 channels in r10 r11, weights 0 and 2 in lr, 1 and 3 in r12. */
.macro LOAD g, w
    ldrd    r10, r11, [\g], #8
    ldr     r12, [\w], #4
    sxtb16  lr, r12
    sxtb16  r12, r12, ror #8
.endm

.macro ADD_TAP g, w
    LOAD    \g, \w
    smlabb  r6, r10, lr, r6
    smlatb  r7, r10, r12, r7
    smlabt  r8, r11, lr, r8
    smlatt  r9, r11, r12, r9
.endm

.macro FIRST_TAP g, w
    LOAD    \g, \w
    smulbb  r6, r10, lr
    smultb  r7, r10, r12
    smulbt  r8, r11, lr
    smultt  r9, r11, r12
.endm

/* r0 sums, r1 r2 g and w of a tap, r3 r4 of another, r5 quads; frame: taps count sums quads */
.macro TAPS_PASS first, second
    ldrd    r0, r5, [sp, #8]
.Lquad\@:
    \first  r1, r2
    .if \second
    ADD_TAP r3, r4
    .endif
    subs    r5, #1
    stmia   r0!, {r6-r9}
    bne     .Lquad\@
.endm

.macro ADD_FIRST g, w
    ldmia.w r0, {r6-r9}
    ADD_TAP \g, \w
.endm

FUNCTION te_depthwise_taps
    push    {r4-r11, lr}
    sub     sp, #16
    strd    r2, r3, [sp, #8]
    mov     r6, r0
    tst     r1, #1
    beq     .Leven
    sub     r7, r1, #1
    ldmia   r6!, {r1, r2}
    strd    r6, r7, [sp]
    TAPS_PASS FIRST_TAP, 0
    b       .Lmore
.Leven:
    sub     r7, r1, #2
    ldmia   r6!, {r1-r4}
    strd    r6, r7, [sp]
    TAPS_PASS FIRST_TAP, 1
.Lmore:
    ldrd    r6, r7, [sp]
    cmp     r7, #0
    beq     .Ltaps_done
    sub     r7, r7, #2
    ldmia   r6!, {r1-r4}
    strd    r6, r7, [sp]
    TAPS_PASS ADD_FIRST, 1
    b       .Lmore
.Ltaps_done:
    add     sp, #16
    pop     {r4-r11, pc}
    .size te_depthwise_taps, . - te_depthwise_taps

/* ---- weights ---------------------------------------------------------------------------------------------------- */

FUNCTION te_correlate_4
    push    {r3-r11, lr}            /* r3: where the sums go */
    mov     r8, #0
    mov     r9, #0
    mov     r10, #0
    mov     r11, #0
.Lgroup:
    ldr     lr, [r0], #4
    ldmia.w r1!, {r4-r7}
    sxtb16  r12, lr
    sxtb16  lr, lr, ror #8
    smlad   r8, r4, r12, r8
    smlad   r9, r6, r12, r9
    smlad   r8, r5, lr, r8
    smlad   r9, r7, lr, r9
    ldmia.w r1!, {r4-r7}
    smlad   r10, r4, r12, r10
    smlad   r11, r6, r12, r11
    smlad   r10, r5, lr, r10
    smlad   r11, r7, lr, r11
    subs    r2, #1
    bne     .Lgroup
    stmia.w r3, {r8-r11}
    pop     {r3-r11, pc}
    .size te_correlate_4, . - te_correlate_4

/* Two neighbouring outputs of 4 channels, bytes at r0: words of their int16 pairs. */
.macro WIDEN_PAIR c0, c1, c2, c3
    ldr     r10, [r0]
    ldr     r11, [r0, r1]
    add     r0, r0, r2
    sxtb16  r12, r10
    sxtb16  lr, r11
    sxtb16  r10, r10, ror #8
    sxtb16  r11, r11, ror #8
    pkhbt   \c0, r12, lr, lsl #16
    pkhbt   \c1, r10, r11, lsl #16
    pkhtb   \c2, lr, r12, asr #16
    pkhtb   \c3, r11, r10, asr #16
.endm

/* to: the fifth argument */
.macro WIDEN_TWO_PAIRS offset
    WIDEN_PAIR r4, r6, r8, r9
    str     r9, [sp]
    str     r8, [sp, #4]
    WIDEN_PAIR r5, r7, r8, r9
    ldrd    r10, r11, [sp]          /* the first pair's c3 and c2 */
    ldr     r12, [sp, #8]
    strd    r4, r5, [r12, #\offset]
    strd    r6, r7, [r12, #16 + \offset]
    strd    r11, r8, [r12, #32 + \offset]
    strd    r10, r9, [r12, #48 + \offset]
.endm

FUNCTION te_widen_rows
    push    {r4-r11, lr}
    ldr     r4, [sp, #36]
    sub     sp, #12
    str     r4, [sp, #8]
.Lwiden:
    WIDEN_TWO_PAIRS 0
    WIDEN_TWO_PAIRS 8
    add     r12, r12, #64
    str     r12, [sp, #8]
    subs    r3, #1
    bne     .Lwiden
    add     sp, #12
    pop     {r4-r11, pc}
    .size te_widen_rows, . - te_widen_rows

/* ---- sums -> mantissas ------------------------------------------------------------------------------------------- */

.macro COMBINE sum
    eor     r6, \sum, \sum, asr #31
    sub     r6, r6, \sum, asr #31
    orr     r12, r12, r6
.endm

FUNCTION te_magnitude_4
    push    {r4-r6, lr}
    mov     r12, #0
.Lmagnitude:
    ldmia.w r0!, {r2-r5}
    COMBINE r2
    COMBINE r3
    COMBINE r4
    COMBINE r5
    subs    r1, #1
    bne     .Lmagnitude
    mov     r0, r12
    pop     {r4-r6, pc}
    .size te_magnitude_4, . - te_magnitude_4

.macro ROUND value
    add     \value, \value, r12
    asr     \value, \value, r3
    ssat    \value, #16, \value
.endm

FUNCTION te_round_4
    push    {r4-r7, lr}
    mov     r12, #1
    sub     r4, r3, #1
    lsl     r12, r12, r4            /* half */
.Lround:
    ldmia.w r0!, {r4-r7}
    ROUND   r4
    ROUND   r5
    ROUND   r6
    ROUND   r7
    pkhbt   r4, r4, r5, lsl #16
    pkhbt   r6, r6, r7, lsl #16
    subs    r2, #1
    str     r4, [r1], #4
    str     r6, [r1], #4
    bne     .Lround
    pop     {r4-r7, pc}
    .size te_round_4, . - te_round_4

/* ---- scaling ----------------------------------------------------------------------------------------------------- */

/* Two values of r6 times r7, masked by the two lowest bits of r8, which are used up. */
.macro SCALE_PAIR bit
    .if \bit == 0
    sbfx    r9, r8, #0, #1
    sbfx    r10, r8, #1, #1
    .elseif \bit == 2
    sbfx    r9, r8, #2, #1
    sbfx    r10, r8, #3, #1
    .endif
    pkhbt   r9, r9, r10, lsl #16
    and     r6, r6, r9
    smlabb  r9, r6, r7, r12
    smlatt  r10, r6, r7, r12
    asr     r9, r9, r4
    asr     r10, r10, r4
    pkhbt   r9, r9, r10, lsl #16
    str     r9, [r0], #4
.endm

FUNCTION te_scale_16
    push    {r4-r11, lr}
    ldr     r4, [sp, #36]           /* shift */
    mov     r12, #1
    sub     r5, r4, #1
    lsl     r12, r12, r5            /* half */
.Lword:
    mov     r8, #-1
    cbz     r2, .Lall
    ldrh    r8, [r2], #2
.Lall:
    mov     r5, #4                  /* of 4 values */
.Lscale:
    ldr     r6, [r0]
    ldr     r7, [r1], #4
    SCALE_PAIR 0
    ldr     r6, [r0]
    ldr     r7, [r1], #4
    SCALE_PAIR 2
    lsr     r8, r8, #4
    subs    r5, #1
    bne     .Lscale
    subs    r3, #1
    bne     .Lword
    pop     {r4-r11, pc}
    .size te_scale_16, . - te_scale_16

/* ---- pointwise ------------------------------------------------------------------------------------------------- */

#define T_SUMS 0 /* these three are loaded together at the end of a pixel */
#define T_PITCH 4
#define T_PIXELS 8
#define T_WEIGHTS 12
#define T_ODD 16 /* whether the number of groups is: then the loop is entered in its middle */
#define T_END 20 /* of the weights */
#define FRAME 24

/* 8 outputs of one channel, and of all four. */
.macro CHANNEL sum
    ldmia.w r1!, {r6-r9}
    smlad   \sum, r2, r6, \sum
    smlad   \sum, r3, r7, \sum
    smlad   \sum, r4, r8, \sum
    smlad   \sum, r5, r9, \sum
.endm

.macro EIGHT
    ldmia.w r0!, {r2-r5}
    CHANNEL r10
    CHANNEL r11
    CHANNEL r12
    CHANNEL lr
.endm

FUNCTION te_gradient_tile
    push    {r4-r11, lr}
    sub     sp, #FRAME
    mov     r8, r0
    ldmia.w r8, {r0-r5}             /* g weights sums pitch pixels groups */
    add     r6, r1, r5, lsl #6
    and     r5, r5, #1
    strd    r2, r3, [sp, #T_SUMS]
    strd    r4, r1, [sp, #T_PIXELS] /* and weights */
    strd    r5, r6, [sp, #T_ODD]    /* and end */

.Lpixel:
    ldrd    r1, r2, [sp, #T_WEIGHTS] /* and odd */
    mov     r10, #0
    mov     r11, #0
    mov     r12, #0
    mov     lr, #0
    cbnz    r2, .Lodd
.Lgroups:                            /* the hot loop */
    EIGHT
.Lodd:
    EIGHT
    ldr     r2, [sp, #T_END]
    cmp     r1, r2
    bne     .Lgroups
    ldmia.w sp, {r2-r4}
    stmia.w r2, {r10-r12, lr}
    add     r2, r2, r3
    subs    r4, #1
    str     r2, [sp, #T_SUMS]
    str     r4, [sp, #T_PIXELS]
    bne     .Lpixel                  /* the next pixel's gradients follow */
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size te_gradient_tile, . - te_gradient_tile

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
