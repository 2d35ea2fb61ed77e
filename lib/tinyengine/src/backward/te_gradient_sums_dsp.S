/* Inner kernels of te_gradient_sums.h for Armv7E-M. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* ---- depthwise -------------------------------------------------------------------------------------------------- */

/* Gradients of 4 channels in r10 r11, weights 0 and 2 in lr, 1 and 3 in r12. */
.macro LOAD g, w
    ldr     r12, [\w], #4
    ldr     r10, [\g], #8
    ldr     r11, [\g, #-4]
    sxtb16  lr, r12
    sxtb16  r12, r12, ror #8
.endm

.macro ADD_TAP g, w
    LOAD    \g, \w
    smlabb  r6, r10, lr, r6
    smlabt  r8, r11, lr, r8
    smlatb  r7, r10, r12, r7
    smlatt  r9, r11, r12, r9
.endm

.macro FIRST_TAP g, w
    LOAD    \g, \w
    smulbb  r6, r10, lr
    smulbt  r8, r11, lr
    smultb  r7, r10, r12
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

/* Two neighbouring outputs of 4 channels, bytes in \a and \b: words of their int16 pairs. */
.macro WIDEN_PAIR a, b
    sxtb16  r8, \a
    sxtb16  r9, \b
    sxtb16  \a, \a, ror #8
    sxtb16  \b, \b, ror #8
    pkhbt   r10, r8, r9, lsl #16
    pkhbt   r11, \a, \b, lsl #16
    pkhtb   r9, r9, r8, asr #16
    pkhtb   \b, \b, \a, asr #16
    str     r10, [r12]
    str     r11, [r12, #4]
    str     r9, [r12, #8]
    str     \b, [r12, #12]
.endm

/* r3: from the first of four outputs to the last; lr counts pairs of pairs. */
FUNCTION te_widen_rows
    push    {r4-r11, lr}
    ldr     r12, [sp, #36]
    lsl     lr, r3, #1
    add     r3, r1, r2
.Lwiden:
    ldr.w   r4, [r0]
    ldr.w   r5, [r0, r1]
    ldr.w   r6, [r0, r2]
    ldr.w   r7, [r0, r3]
    add     r0, r0, r2, lsl #1
    WIDEN_PAIR r4, r5
    add     r12, r12, #16
    WIDEN_PAIR r6, r7
    add     r12, r12, #16
    subs    lr, #1
    bne     .Lwiden
    pop     {r4-r11, pc}
    .size te_widen_rows, . - te_widen_rows

/* From each of two words of two outputs, halves of 256 w1 + w0, words of channels k and k + 2. Results are used two
 * instructions later, as a Cortex-M33 wants it. */
.macro TAKE_APART a, b, at_a, at_b
    sxtb16  r8, \a
    sxtb16  r9, \b
    ssub16  \a, \a, r8
    ssub16  \b, \b, r9
    sxtb16  \a, \a, ror #8
    sxtb16  \b, \b, ror #8
    pkhbt   r10, r8, \a, lsl #16
    pkhtb   r11, \a, r8, asr #16
    pkhbt   r12, r9, \b, lsl #16
    pkhtb   lr, \b, r9, asr #16
    str     r10, [r3, #\at_a]
    str     r11, [r3, #(\at_a + 8)]
    str     r12, [r3, #\at_b]
    str     lr, [r3, #(\at_b + 8)]
.endm

FUNCTION te_widen_fours
    push    {r4-r11, lr}
    lsl     r2, r2, #1
.Lfours:
    ldr.w   r4, [r0]
    ldr.w   r5, [r0, #4]
    ldr.w   r6, [r0, #8]
    ldr.w   r7, [r0, #12]
    add     r0, r0, r1
    TAKE_APART r4, r5, 0, 16
    TAKE_APART r6, r7, 4, 20
    add     r3, r3, #32
    subs    r2, #1
    bne     .Lfours
    pop     {r4-r11, pc}
    .size te_widen_fours, . - te_widen_fours

/* ---- sums -> mantissas ------------------------------------------------------------------------------------------- */

.macro COMBINE a, b
    eor     r6, \a, \a, asr #31
    eor     r7, \b, \b, asr #31
    sub     r6, r6, \a, asr #31
    sub     r7, r7, \b, asr #31
    orr     r12, r12, r6
    orr     r12, r12, r7
.endm

.macro COMBINE_4
    ldmia.w r0!, {r2-r5}
    COMBINE r2, r3
    COMBINE r4, r5
.endm

FUNCTION te_magnitude_4
    push    {r4-r7, lr}
    mov     r12, #0
    lsls    r2, r1, #31
    beq     .Lmagnitude
    COMBINE_4
    subs    r1, #1
    beq     .Lall_combined
.Lmagnitude:
    COMBINE_4
    COMBINE_4
    subs    r1, #2
    bne     .Lmagnitude
.Lall_combined:
    mov     r0, r12
    pop     {r4-r7, pc}
    .size te_magnitude_4, . - te_magnitude_4

/* (value * 2^(32 - shift) + 2^31) >> 32 */
.macro ROUND_4
    ldmia.w r0!, {r4-r7}
    .irp    r, r4, r5, r6, r7
    smmulr  \r, \r, r12
    .endr
    .irp    r, r4, r5, r6, r7
    ssat    \r, #16, \r
    .endr
    pkhbt   r4, r4, r5, lsl #16
    pkhbt   r6, r6, r7, lsl #16
    str     r4, [r1], #4
    str     r6, [r1], #4
.endm

FUNCTION te_round_4
    push    {r4-r7, lr}
    mov     r12, #1
    rsb     r3, r3, #32
    lsl     r12, r12, r3
    lsls    r3, r2, #31
    beq     .Lround
    ROUND_4
    subs    r2, #1
    beq     .Lall_rounded
.Lround:
    ROUND_4
    ROUND_4
    subs    r2, #2
    bne     .Lround
.Lall_rounded:
    pop     {r4-r7, pc}
    .size te_round_4, . - te_round_4

/* ---- scaling ----------------------------------------------------------------------------------------------------- */

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
.Lscale:                             /* r6 r11 values, r7 lr factors, r8 the mask, four bits of which are used up */
    ldr.w   r6, [r0]
    ldr.w   r11, [r0, #4]
    ldr.w   r7, [r1]
    ldr.w   lr, [r1, #4]
    sbfx    r9, r8, #0, #1
    sbfx    r10, r8, #1, #1
    add     r1, r1, #8
    pkhbt   r9, r9, r10, lsl #16
    sbfx    r10, r8, #2, #1
    and     r6, r6, r9
    sbfx    r9, r8, #3, #1
    lsr     r8, r8, #4
    pkhbt   r10, r10, r9, lsl #16
    smlabb  r9, r6, r7, r12
    and     r11, r11, r10
    smlatt  r6, r6, r7, r12
    smlabb  r10, r11, lr, r12
    smlatt  r11, r11, lr, r12
    asr     r9, r9, r4
    asr     r6, r6, r4
    asr     r10, r10, r4
    asr     r11, r11, r4
    pkhbt   r9, r9, r6, lsl #16
    pkhbt   r10, r10, r11, lsl #16
    str     r9, [r0], #4
    str     r10, [r0], #4
    subs    r5, #1
    bne     .Lscale
    subs    r3, #1
    bne     .Lword
    pop     {r4-r11, pc}
    .size te_scale_16, . - te_scale_16

/* ---- pointwise ------------------------------------------------------------------------------------------------- */

#define T_SUMS 0
#define T_PITCH 4
#define T_PIXELS 8
#define T_WEIGHTS 12
#define T_ODD 16 /* whether the number of groups is: then the loop is entered in its middle */
#define T_END 20 /* of the weights */
#define FRAME 24

/* Two outputs of four channels and two pixels; r0 and r1 are a word behind. A Cortex-M4 takes loads in batches; a core that
 * issues two instructions at a time takes one beside each product: there r2-r4 have been read. */
#ifdef TE_DUAL_ISSUE
.macro TWO_OUTPUTS at, w, last
    smlad   r6, r2, r4, r6
    ldr.w   r5, [r1, #(\w + 8)]
    smlad   r10, r3, r4, r10
    ldr.w   r4, [r1, #(\w + 12)]
    smlad   r7, r2, r5, r7
    smlad   r11, r3, r5, r11
    .if \last
    ldr.w   r5, [r1, #(\w + 16)]!
    .else
    ldr.w   r5, [r1, #(\w + 16)]
    .endif
    smlad   r8, r2, r4, r8
    smlad   r12, r3, r4, r12
    .ifeq \last
    ldr.w   r4, [r1, #(\w + 20)]
    .endif
    smlad   r9, r2, r5, r9
    .ifeq \last
    ldr.w   r2, [r0, #(\at + 12)]
    .endif
    smlad   lr, r3, r5, lr
    .ifeq \last
    ldr.w   r3, [r0, #(\at + 16)]
    .endif
.endm
#else
.macro TWO_OUTPUTS at, w, last
    ldr.w   r2, [r0, #(\at + 4)]
    .if \last
    ldr.w   r3, [r0, #(\at + 8)]!
    .else
    ldr.w   r3, [r0, #(\at + 8)]
    .endif
    ldr.w   r4, [r1, #(\w + 4)]
    ldr.w   r5, [r1, #(\w + 8)]
    smlad   r6, r2, r4, r6
    smlad   r10, r3, r4, r10
    smlad   r7, r2, r5, r7
    smlad   r11, r3, r5, r11
    ldr.w   r4, [r1, #(\w + 12)]
    .if \last
    ldr.w   r5, [r1, #(\w + 16)]!
    .else
    ldr.w   r5, [r1, #(\w + 16)]
    .endif
    smlad   r8, r2, r4, r8
    smlad   r12, r3, r4, r12
    smlad   r9, r2, r5, r9
    smlad   lr, r3, r5, lr
.endm
#endif

.macro EIGHT
#ifdef TE_DUAL_ISSUE
    ldr.w   r2, [r0, #4]
    ldr.w   r4, [r1, #4]
    ldr.w   r3, [r0, #8]
#endif
    TWO_OUTPUTS 0, 0, 0
    TWO_OUTPUTS 8, 16, 0
    TWO_OUTPUTS 16, 32, 0
    TWO_OUTPUTS 24, 48, 1
#ifdef TE_DUAL_ISSUE
    adds    r0, #32
#endif
.endm

.macro NO_SUMS first, second:vararg
    mov     \first, #0
    .ifnb \second
    NO_SUMS \second
    .endif
.endm

FUNCTION te_gradient_tile
    push    {r4-r11, lr}
    sub     sp, #FRAME
    mov     r8, r0
    ldmia.w r8, {r0-r5}             /* g weights sums pitch pixels groups */
    sub     r0, r0, #4
    sub     r1, r1, #4
    add     r6, r1, r5, lsl #6
    and     r5, r5, #1
    strd    r2, r3, [sp, #T_SUMS]
    strd    r4, r1, [sp, #T_PIXELS] /* and weights */
    strd    r5, r6, [sp, #T_ODD]    /* and end */
    cmp     r4, #1
    beq     .Lone_pixel

.Lpixels:
    ldrd    r1, r2, [sp, #T_WEIGHTS] /* and odd */
    NO_SUMS r6, r7, r8, r9, r10, r11, r12, lr
    cmp     r2, #0
    bne     .Lodd
.Lgroups:                            /* the hot loop */
    EIGHT
.Lodd:
    EIGHT
    ldr     r2, [sp, #T_END]
    cmp     r1, r2
    bne     .Lgroups
    ldmia.w sp, {r2-r4}
    stmia.w r2, {r6-r9}
    add     r2, r2, r3
    stmia.w r2, {r10-r12, lr}
    add     r2, r2, r3
    subs    r4, #2
    str     r2, [sp, #T_SUMS]
    str     r4, [sp, #T_PIXELS]
    cmp     r4, #1
    bgt     .Lpixels                 /* the gradients of the next pair follow */
    bne     .Ltile_done

.Lone_pixel:
    ldr     r1, [sp, #T_WEIGHTS]
    ldr     r12, [sp, #T_END]
    NO_SUMS r6, r7, r8, r9
.Ltwo_outputs:
    ldr.w   r2, [r0, #4]!
    ldr.w   r3, [r1, #4]
    ldr.w   r4, [r1, #8]
    ldr.w   r5, [r1, #12]
    ldr.w   r10, [r1, #16]!
    smlad   r6, r2, r3, r6
    smlad   r7, r2, r4, r7
    smlad   r8, r2, r5, r8
    smlad   r9, r2, r10, r9
    cmp     r1, r12
    bne     .Ltwo_outputs
    ldr     r2, [sp, #T_SUMS]
    stmia.w r2, {r6-r9}
.Ltile_done:
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size te_gradient_tile, . - te_gradient_tile

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
