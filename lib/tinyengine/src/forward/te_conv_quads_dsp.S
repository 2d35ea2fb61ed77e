/* Products of 2 pixels x 4 channels for Armv7E-M and Armv8-M: the trick, layouts, registers and budgets are described
 * in te_conv_quads.h. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* Groups of 4 k per pass of the product's loop; up to one less need no loop. The loop stays below 1 KB, the cache in
 * front of an STM32F4's flash. */
#define QUADS_UNROLL 8

/* Bytes of code of one group: only 32-bit instructions, so that the groups behind the loop can be entered at any. */
#define QUADS_GROUP_BYTES 112

/* On cores that issue two instructions at a time, loads lie between multiplications, and read ahead: r1 is one word
 * further than without. */
#ifdef TE_DUAL_ISSUE
#define QUADS_AHEAD 1
#else
#define QUADS_AHEAD 0
#endif
#define BEHIND(word) [r1, #(4 * (word) - 4 * QUADS_AHEAD)]

/* The stack frame. */
#define Q_COLUMNS 0     /* less a word */
#define Q_QUAD 4        /* constants of the four channels in scratch memory, or in flash, less a word */
#define Q_BASE 8        /* outputs of the four channels at the last pair of pixels: offsets are relative to it */
#define Q_WEIGHTS 12
#define Q_LEFT 16       /* channels that are left, these four included */
#define Q_ODD 20
#define Q_GROUPS 24
#define Q_ZERO 28       /* fast: zero point of the output; exact: C of e = 1 */
#define Q_ENTRY 32      /* where a tile goes on behind its first group */
#define Q_REST 36       /* where whole passes of the loop go on */
#define Q_LOOP_END 40   /* r1 behind whole passes */
#define Q_TABLE 44      /* exact: null, or constants of channels that round in the wide way, or, with bit 0 set, r1 of the
                           rounding's loads */
#define Q_IN_FLASH 48   /* null, or scratch memory for the rounding: the weights are read from flash */
#define Q_FRAME 52

/* Pairs of pixels up to which weights are not copied before the product: copying takes as long as reading them from
 * flash three times, even where flash waits. */
#define QUADS_FEW 3

/* ---- product: r0 and r1 are at the word of the columns and of the weights that was read last ----------------------- */

/* Half a group: the words of two pixels and of four channels, from these offsets on; pre: ! to move the pointers. */
.macro QUADS_LOAD pixels, weights, pre
    ldr.w   r2, [r0, #\pixels]
    ldr.w   r3, [r0, #(\pixels + 4)]\pre
    ldr.w   r4, [r1, #\weights]
    ldr.w   r5, [r1, #(\weights + 4)]\pre
.endm

.macro QUADS_HALF pixels, weights, pre
    QUADS_LOAD \pixels, \weights, \pre
    smlad   r8, r2, r4, r8
    smlad   r9, r3, r4, r9
    smlad   r12, r2, r5, r12
    smlad   lr, r3, r5, lr
    sxtb16  r4, r4
    sxtb16  r5, r5
    smlad   r6, r2, r4, r6
    smlad   r7, r3, r4, r7
    smlad   r10, r2, r5, r10
    smlad   r11, r3, r5, r11
.endm

/* The same where r2-r4 have been read already: offsets of r5's word and of the next half's. */
.macro QUADS_HALF_AHEAD second, weights, pixels, pre
    smlad   r8, r2, r4, r8
    ldr.w   r5, [r1, #\second]
    smlad   r9, r3, r4, r9
    sxtb16  r4, r4
    smlad   r12, r2, r5, r12
    smlad   lr, r3, r5, lr
    sxtb16  r5, r5
    smlad   r6, r2, r4, r6
    smlad   r7, r3, r4, r7
    ldr.w   r4, [r1, #\weights]\pre
    smlad   r10, r2, r5, r10
    ldr.w   r2, [r0, #\pixels]
    smlad   r11, r3, r5, r11
    ldr.w   r3, [r0, #(\pixels + 4)]\pre
.endm

.macro QUADS_GROUP
#if QUADS_AHEAD
    QUADS_HALF_AHEAD 4, 8, 4
    QUADS_HALF_AHEAD 12, 16, 12, !
#else
    QUADS_HALF 4, 4
    QUADS_HALF 12, 12, !
#endif
.endm

/* The first group: sums start from the biases of channels 0 and 2. */
.macro QUADS_FIRST
#if QUADS_AHEAD
    ldr.w   r6, [r1, #4]
    ldr.w   r4, [r1, #12]
    ldr.w   r3, [r0, #8]
    ldr.w   r2, [r0, #4]
    ldr.w   r10, [r1, #8]
    smlad   r9, r3, r4, r6
    ldr.w   r5, [r1, #16]
    smlad   r8, r2, r4, r6
    sxtb16  r4, r4
    smlad   lr, r3, r5, r10
    smlad   r12, r2, r5, r10
    sxtb16  r5, r5
    smlad   r7, r3, r4, r6
    smlad   r11, r3, r5, r10
    ldr.w   r3, [r0, #16]
    smlad   r6, r2, r4, r6
    ldr.w   r4, [r1, #20]
    smlad   r10, r2, r5, r10
    ldr.w   r2, [r0, #12]
    adds    r1, #8
    QUADS_HALF_AHEAD 16, 20, 20
    adds    r0, #24
    adds    r1, #20
#else
    ldr.w   r2, [r0, #4]
    ldr.w   r3, [r0, #8]
    ldr.w   r4, [r1, #12]
    ldr.w   r5, [r1, #16]
    ldr.w   r6, [r1, #4]
    ldr.w   r10, [r1, #8]!
    smlad   r9, r3, r4, r6
    smlad   r8, r2, r4, r6
    smlad   lr, r3, r5, r10
    smlad   r12, r2, r5, r10
    sxtb16  r4, r4
    sxtb16  r5, r5
    smlad   r7, r3, r4, r6
    smlad   r6, r2, r4, r6
    smlad   r11, r3, r5, r10
    smlad   r10, r2, r5, r10
    QUADS_HALF 12, 12, !
#endif
.endm

/* All groups of the odd pixel that is left over: its sums in r6 r8 r10 r12, then as those of both pixels. */
.macro QUADS_ODD
    ldr     r2, [sp, #Q_GROUPS]
    ldr.w   r6, [r1, #4]
    ldr.w   r10, [r1, #8]!
    add     lr, r1, r2, lsl #4
    mov     r8, r6
    mov     r12, r10
.Lgroup\@:
    ldr.w   r2, [r0, #4]
    ldr.w   r4, [r1, #4]
    ldr.w   r5, [r1, #8]
    ldr.w   r7, [r1, #12]
    ldr.w   r3, [r0, #12]
    ldr.w   r9, [r1, #16]!
    smlad   r8, r2, r4, r8
    smlad   r12, r2, r5, r12
    sxtb16  r4, r4
    sxtb16  r5, r5
    sxtb16  r11, r7
    smlad   r6, r2, r4, r6
    smlad   r10, r2, r5, r10
    smlad   r8, r3, r7, r8
    smlad   r12, r3, r9, r12
    sxtb16  r9, r9
    adds    r0, #16
    cmp     r1, lr
    smlad   r6, r3, r11, r6
    smlad   r10, r3, r9, r10
    bne     .Lgroup\@
    mov     r7, r6
    mov     r9, r8
    mov     r11, r10
    mov     lr, r12
#if QUADS_AHEAD
    adds    r0, #8
    adds    r1, #4
#endif
.endm

/* ---- rounding ------------------------------------------------------------------------------------------------------ */

/* Sums of channels 1 and 3 (times `1 << left`) from those of two channels; r2, r3: their biases, so doubled. */
.macro QUADS_APART
    sub     r8, r8, r6
    sub     r9, r9, r7
    sub     r12, r12, r10
    sub     lr, lr, r11
.endm

.macro QUADS_ADD_BIAS shift
    add     r8, r2, r8, asr #\shift
    add     r9, r2, r9, asr #\shift
    add     r12, r3, r12, asr #\shift
    add     lr, r3, lr, asr #\shift
.endm

.macro QUADS_ROUND_FAST
    ldr.w   r2, BEHIND(1)
    ldr.w   r3, BEHIND(2)
    ldr.w   r4, BEHIND(3)
    ldr.w   r5, BEHIND(5)
    QUADS_APART
    QUADS_ADD_BIAS 8
    ldr.w   r2, BEHIND(4)
    ldr.w   r3, BEHIND(6)
    ldr.w   r1, [sp, #Q_ZERO]
    smmlar  r6, r6, r4, r1
    smmlar  r7, r7, r4, r1
    smmlar  r8, r8, r2, r1
    smmlar  r9, r9, r2, r1
    smmlar  r10, r10, r5, r1
    smmlar  r11, r11, r5, r1
    smmlar  r12, r12, r3, r1
    smmlar  lr, lr, r3, r1
.endm

/* Two doubled sums of one channel. */
.macro QUADS_ROUND_EXACT_ONE p0, p1, channel
    ldr.w   r2, BEHIND(3 + 2 * \channel)
    ldr.w   r3, BEHIND(4 + 2 * \channel)
    ldrb.w  r4, [r1, #(44 + \channel - 4 * QUADS_AHEAD)]
    add     r5, r3, \p0, asr #31
    add     r3, r3, \p1, asr #31
    smmlar  \p0, \p0, r2, r5
    smmlar  \p1, \p1, r2, r3
    asr     \p0, \p0, r4
    asr     \p1, \p1, r4
.endm

.macro QUADS_ROUND_EXACT elsewhere, here
    ldr.w   r2, BEHIND(1)
    ldr.w   r3, BEHIND(2)
    ldr.w   r4, [sp, #Q_TABLE]
    QUADS_APART
    cmp     r4, #0
    bne.w   \elsewhere
\here:
    QUADS_ADD_BIAS 7
    add     r6, r6, r6
    add     r7, r7, r7
    add     r10, r10, r10
    add     r11, r11, r11
    QUADS_ROUND_EXACT_ONE r6, r7, 0
    QUADS_ROUND_EXACT_ONE r8, r9, 1
    QUADS_ROUND_EXACT_ONE r10, r11, 2
    QUADS_ROUND_EXACT_ONE r12, lr, 3
.endm

/* M C e l s at r1. */
.macro QUADS_ROUND_WIDE_ONE p0, p1
    ldrd    r2, r3, [r1, #12]
    ldr     r4, [r1, #4]
    and     r5, r3, \p0, asr #31
    and     r3, r3, \p1, asr #31
    lsl     \p0, \p0, r2
    lsl     \p1, \p1, r2
    add     r5, r5, r4
    add     r3, r3, r4
    ldr     r2, [r1]
    ldr     r4, [r1, #8]
    smmlar  \p0, \p0, r2, r5
    smmlar  \p1, \p1, r2, r3
    asr     \p0, \p0, r4
    asr     \p1, \p1, r4
    adds    r1, #20
.endm

/* ---- blocks -------------------------------------------------------------------------------------------------------- */

/* void name(const te_conv_tiles_args *args) */
.macro QUADS name, exact
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #Q_FRAME
    ldmia   r0, {r1-r9}             /* columns weights wide out pairs odd channels groups zero */
    .if \exact
    lsl     r9, r9, #1
    add     r9, r9, #1
    .endif
    subs    r1, #4
    adds    r0, r5, r6
    cmp     r0, #QUADS_FEW
    ite     le
    movle   r0, r3
    movgt   r0, #0
    str     r0, [sp, #Q_IN_FLASH]
    subs    r3, #4
    strd    r1, r3, [sp, #Q_COLUMNS]
    subs    r1, r5, #1
    mul     r1, r1, r7
    add     r4, r4, r1, lsl #1
    strd    r4, r2, [sp, #Q_BASE]
    strd    r7, r6, [sp, #Q_LEFT]
    strd    r8, r9, [sp, #Q_GROUPS]
    add     r3, r3, r8, lsl #4      /* the last word of the weights */
    adds    r3, #(8 + 4 * QUADS_AHEAD)
    subs    r8, #1
    movs    r2, #QUADS_UNROLL
    udiv    r4, r8, r2
    mls     r5, r4, r2, r8          /* groups behind the loop */
    sub     r3, r3, r5, lsl #4
    movs    r2, #QUADS_GROUP_BYTES
    adr.w   r1, .Lround\@
    mls     r1, r5, r2, r1
    orr     r2, r1, #1
    mov     r1, r2
    cbz     r4, .Lentry\@
    adr.w   r1, .Lloop\@
    orr     r1, r1, #1
.Lentry\@:
    strd    r1, r2, [sp, #Q_ENTRY]
    str     r3, [sp, #Q_LOOP_END]

.Lchannels\@:
    ldr     r0, [sp, #Q_WEIGHTS]
    ldr     r1, [sp, #Q_QUAD]
    ldr     r2, [sp, #Q_GROUPS]
    ldr     r3, [sp, #Q_IN_FLASH]
    cbz     r3, .Lconstants\@
    subs    r4, r0, #4              /* they stay where they are */
    ldr     r5, [sp, #Q_LOOP_END]
    subs    r1, r4, r1
    add     r5, r5, r1
    str     r4, [sp, #Q_QUAD]
    str     r5, [sp, #Q_LOOP_END]
    add     r0, r0, r2, lsl #4
    .if \exact
    mov     r1, r3
    adds    r0, #8
    b       .Lcopied\@
    .else
    adds    r0, #32
    b       .Lready\@
    .endif
.Lconstants\@:                      /* from flash to scratch memory */
    adds    r1, #4
    ldmia.w r0!, {r3, r4}
    stmia.w r1!, {r3, r4}
    lsrs    r2, r2, #1
    bcc     .Leven\@
    ldmia.w r0!, {r3-r6}
    stmia.w r1!, {r3-r6}
.Leven\@:
    cbz     r2, .Lcopied\@
.Lcopy\@:
    ldmia.w r0!, {r3-r10}
    subs    r2, #1
    stmia.w r1!, {r3-r10}
    bne     .Lcopy\@
.Lcopied\@:
    .if \exact
    ldmia.w r0!, {r3, r4, r12}      /* biases, shifts */
    cmp     r12, #0
    bge     .Lplain\@
    stmia.w r1!, {r3, r4}
    mov     r2, r0
    adds    r0, #80
    b       .Ltable\@
.Lplain\@:
    ldmia.w r0!, {r5, r7, r9, r11}
    mov     lr, r12
    ldr     r2, [sp, #Q_ZERO]
    uxtb    r6, r12
    uxtb    r8, r12, ror #8
    uxtb    r10, r12, ror #16
    lsr     r12, r12, #24
    .irp    r, r6, r8, r10, r12
    lsl     \r, r2, \r
    asr     \r, \r, #1
    .endr
    stmia.w r1!, {r3-r12, lr}
    ldr     r2, [sp, #Q_IN_FLASH]
    cbz     r2, .Ltable\@
    add     r2, r2, #(4 * QUADS_AHEAD - 3)
.Ltable\@:
    str     r2, [sp, #Q_TABLE]
    .else
    ldmia.w r0!, {r3-r8}
    stmia.w r1!, {r3-r8}
    .endif
.Lready\@:
    str     r0, [sp, #Q_WEIGHTS]
    ldrd    r0, r1, [sp, #Q_COLUMNS]

.Ltile\@:
    QUADS_FIRST
    ldr     pc, [sp, #Q_ENTRY]
    .p2align 2
.Lloop\@:                           /* whole passes */
    .rept QUADS_UNROLL
    QUADS_GROUP
    .endr
    ldr     r5, [sp, #Q_LOOP_END]
    cmp     r1, r5
    bne     .Lloop\@
    ldr     pc, [sp, #Q_REST]
    .p2align 2
    .rept QUADS_UNROLL - 1          /* the rest: entered so that it ends at .Lround */
    QUADS_GROUP
    .endr
.Lround\@:
    .if \exact
    QUADS_ROUND_EXACT .Lelsewhere\@, .Lhere\@
    .else
    QUADS_ROUND_FAST
    .endif
.Lrounded\@:
#if QUADS_AHEAD
    ldr.w   r2, [r0, #-4]           /* where the two pixels go */
    ldr.w   r3, [r0]
#else
    ldr.w   r2, [r0, #4]
    ldr.w   r3, [r0, #8]!
#endif
    ldr.w   r4, [sp, #Q_BASE]
    ldr.w   r1, [sp, #Q_QUAD]
    .irp    r, r6, r7, r8, r9, r10, r11, r12, lr
    ssat    \r, #8, \r
    .endr
    bfi     r6, r8, #8, #24
    bfi     r7, r9, #8, #24
    bfi     r6, r10, #16, #16
    bfi     r7, r11, #16, #16
    bfi     r6, r12, #24, #8
    bfi     r7, lr, #24, #8
    cmp     r2, #0
    str     r6, [r4, r2]
    str     r7, [r4, r3]
    blt     .Ltile\@
    bne     .Lnext\@                /* that was the odd pixel, its own partner */
    ldr     r2, [sp, #Q_ODD]
    cmp     r2, #0
    bne.w   .Lodd\@

.Lnext\@:                           /* four channels on; the last ones are the last four */
    ldr     r4, [sp, #Q_BASE]
    ldr     r5, [sp, #Q_LEFT]
    adds    r4, #4
    subs    r5, #4
    ble     .Ldone\@
    cmp     r5, #4
    bge     .Lwhole\@
    add     r4, r4, r5
    subs    r4, #4
.Lwhole\@:
    str     r4, [sp, #Q_BASE]
    str     r5, [sp, #Q_LEFT]
    b       .Lchannels\@
.Ldone\@:
    add     sp, #Q_FRAME
    pop     {r4-r11, pc}
.Lodd\@:
    QUADS_ODD
    b.w     .Lround\@
    .if \exact
.Lelsewhere\@:
    lsrs    r5, r4, #1
    bcc     .Lwide\@
    subs    r1, r4, #1
    b       .Lhere\@
.Lwide\@:
    QUADS_ADD_BIAS 8
    mov     r1, r4
    QUADS_ROUND_WIDE_ONE r6, r7
    QUADS_ROUND_WIDE_ONE r8, r9
    QUADS_ROUND_WIDE_ONE r10, r11
    QUADS_ROUND_WIDE_ONE r12, lr
    b       .Lrounded\@
    .endif
    .size \name, . - \name
.endm

    QUADS   te_conv_quads_fast, 0
    QUADS   te_conv_quads_exact, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
