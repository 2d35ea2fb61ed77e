/* Inner loops of te_depthwise_quads.h for Armv7E-M and Armv8-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

#define STEP 144
#define CHANNEL 36

/* Columns of outputs at a time, by stride. */
#define COLUMNS_1 4
#define COLUMNS_2 3

/* ---- staging ------------------------------------------------------------------------------------------------------- */

/* Four channels of a pixel (a) and of the one below (b) -> words of the column at r2. */
.macro STAGE_COLUMN a, b, at
    sxtb16  r8, \a, ror #8
    sxtb16  r9, \b, ror #8
    sxtb16  \a, \a
    sxtb16  \b, \b
    pkhbt   r10, \a, \b, lsl #16
    pkhtb   \b, \b, \a, asr #16
    pkhbt   \a, r8, r9, lsl #16
    pkhtb   r9, r9, r8, asr #16
    str.w   r10, [r2, #\at]
    str.w   \a, [r2, #(\at + CHANNEL)]
    str.w   \b, [r2, #(\at + 2 * CHANNEL)]
    str.w   r9, [r2, #(\at + 3 * CHANNEL)]
.endm

#define S_X 0           /* row `S_ROW` */
#define S_ROW 4
#define S_HEIGHT 8
#define S_PITCH 12
#define S_LINE 16
#define S_TO 20
#define S_PAIRS 24
#define S_COLUMNS 28
#define S_PADDING 32
#define S_FRAME 36

/* The row at `row` lies outside the picture if r6 does: then all its pixels are padding, and `step` is 0. */
.macro STAGE_OUTSIDE row, step
    cmp     r6, r7
    itt     hs
    addhs   \row, sp, #S_PADDING
    movhs   \step, #0
.endm

/* void te_depthwise_stage(const te_depthwise_stage_args *args) */
FUNCTION te_depthwise_stage
    push    {r4-r11, lr}
    sub     sp, #S_FRAME
    ldmia   r0, {r1-r9}             /* x row height pitch line to pairs columns padding */
    mla     r1, r2, r5, r1
    stmia.w sp, {r1-r9}
.Lstage_pair:
    ldr     r0, [sp, #S_X]
    ldr     r5, [sp, #S_LINE]
    ldr     r6, [sp, #S_ROW]
    ldr     r7, [sp, #S_HEIGHT]
    ldr     r2, [sp, #S_TO]
    ldr     r3, [sp, #S_COLUMNS]
    ldr.w   r12, [sp, #S_PITCH]
    adds    r1, r0, r5
    adds    r4, r1, r5
    adds    r5, r6, #2
    str     r4, [sp, #S_X]
    str     r5, [sp, #S_ROW]
    adds    r4, r2, #4
    str     r4, [sp, #S_TO]
    mov     lr, r12
    STAGE_OUTSIDE r0, r12
    adds    r6, #1
    STAGE_OUTSIDE r1, lr
    lsrs    r3, r3, #1
    bcc     .Lstage_even
    ldr     r4, [r0]
    ldr     r5, [r1]
    add     r0, r0, r12
    add     r1, r1, lr
    STAGE_COLUMN r4, r5, 0
    add     r2, r2, #STEP
.Lstage_even:
    cmp     r3, #0
    beq     .Lstage_next
.Lstage_two:
    ldr.w   r4, [r0]
    ldr.w   r5, [r1]
    ldr.w   r6, [r0, r12]
    ldr.w   r7, [r1, lr]
    add     r0, r0, r12, lsl #1
    add     r1, r1, lr, lsl #1
    STAGE_COLUMN r4, r5, 0
    STAGE_COLUMN r6, r7, STEP
    subs    r3, #1
    add     r2, r2, #(2 * STEP)
    bne     .Lstage_two
.Lstage_next:
    ldr     r4, [sp, #S_PAIRS]
    subs    r4, #1
    str     r4, [sp, #S_PAIRS]
    bne     .Lstage_pair
    add     sp, #S_FRAME
    pop     {r4-r11, pc}
    .size te_depthwise_stage, . - te_depthwise_stage

/* ---- products ------------------------------------------------------------------------------------------------------ */

#define Q_TAPS 0        /* stride 1: (w0,w1) of the three columns, (w1,w2) of them; by 2: (w0,w1) of them, the w2 */
#define Q_BIAS 24
#define Q_M 28
#define Q_C 32          /* fast: zero */
#define Q_Y 36          /* next output */
#define Q_PITCH 40
#define Q_LINE 44       /* 0 where the lower row of outputs does not exist */
#define Q_END 48        /* r0 behind the whole blocks of the rows */
#define Q_BACK 52       /* from there to the next rows' beginning, and of y from the end of a row to there */
#define Q_Y_BACK 56
#define Q_ROWS_LEFT 60  /* of outputs, these two included */
#define Q_REST 64       /* code for the outputs behind whole blocks */
#define Q_E 68
#define Q_CONSTANTS 72
#define Q_ZERO 76       /* exact: C of e = 0, doubled */
#define Q_STAGED 80     /* of the channel, and its outputs */
#define Q_Y_CHANNEL 84
#define Q_BLOCK_BYTES 88
#define Q_ROWS 92
#define Q_WHOLE_LINE 96
#define Q_LEFT 100      /* channels */
#define Q_FRAME 104

/* One product for the upper and the lower output of column i, of \n; first: they start from the bias, which lies in
 * the register of the last one. */
.macro ON register, name, pixels, taps, start
    \name   \register, \pixels, \taps, \start
.endm

.macro START n, name, register, pixels, taps
    .if \n == 1
    ON      \register, \name, \pixels, \taps, r7
    .elseif \n == 2
    ON      \register, \name, \pixels, \taps, r9
    .elseif \n == 3
    ON      \register, \name, \pixels, \taps, r11
    .else
    ON      \register, \name, \pixels, \taps, lr
    .endif
.endm

.macro MAC n, name, register, pixels, taps, first
    .if \first
    START   \n, \name, \register, \pixels, \taps
    .else
    ON      \register, \name, \pixels, \taps, \register
    .endif
.endm

.macro UPPER n, i, name, pixels, taps, first=0
    .if \i == 0
    MAC     \n, \name, r6, \pixels, \taps, \first
    .elseif \i == 1
    MAC     \n, \name, r8, \pixels, \taps, \first
    .elseif \i == 2
    MAC     \n, \name, r10, \pixels, \taps, \first
    .elseif \i == 3
    MAC     \n, \name, r12, \pixels, \taps, \first
    .endif
.endm

.macro LOWER n, i, name, pixels, taps, first=0
    .if \i == 0
    MAC     \n, \name, r7, \pixels, \taps, \first
    .elseif \i == 1
    MAC     \n, \name, r9, \pixels, \taps, \first
    .elseif \i == 2
    MAC     \n, \name, r11, \pixels, \taps, \first
    .elseif \i == 3
    MAC     \n, \name, lr, \pixels, \taps, \first
    .endif
.endm

.macro TAP register, i
    ldr.w   \register, [sp, #(Q_TAPS + 4 * (\i))]
.endm

.macro LOAD_BIAS n
    .if \n == 1
    ldr.w   r7, [sp, #Q_BIAS]
    .elseif \n == 2
    ldr.w   r9, [sp, #Q_BIAS]
    .elseif \n == 3
    ldr.w   r11, [sp, #Q_BIAS]
    .else
    ldr.w   lr, [sp, #Q_BIAS]
    .endif
.endm

/* Rows 2 * pair and 2 * pair + 1 of a column. */
.macro WORD register, column, pair
    ldr.w   \register, [r0, #(STEP * (\column) + 4 * (\pair))]
.endm

/* Stride 1. Of three kernel rows the upper output meets the first pair with (w0,w1), the second with w2; the lower one
 * the first with w0, the second with (w1,w2). */
.macro FIRST_PAIR n, c, pixels
    .if \c < \n
    UPPER   \n, \c, smlad, \pixels, r3, 1
    LOWER   \n, \c, smlatb, \pixels, r3, 1
    .endif
    .if \c >= 1 && \c <= \n
    UPPER   \n, (\c - 1), smlad, \pixels, r4
    LOWER   \n, (\c - 1), smlatb, \pixels, r4
    .endif
    .if \c >= 2
    UPPER   \n, (\c - 2), smlad, \pixels, r5
    LOWER   \n, (\c - 2), smlatb, \pixels, r5
    .endif
.endm

.macro SECOND_PAIR n, c, pixels
    .if \c < \n
    UPPER   \n, \c, smlabt, \pixels, r3
    LOWER   \n, \c, smlad, \pixels, r3
    .endif
    .if \c >= 1 && \c <= \n
    UPPER   \n, (\c - 1), smlabt, \pixels, r4
    LOWER   \n, (\c - 1), smlad, \pixels, r4
    .endif
    .if \c >= 2
    UPPER   \n, (\c - 2), smlabt, \pixels, r5
    LOWER   \n, (\c - 2), smlad, \pixels, r5
    .endif
.endm

/* By 2. Column c is the first or third of the kernel if c is even, the second if odd. The upper output meets pair 0 with
 * (w0,w1) and pair 1 with w2, the lower one pairs 1 and 2. */
.macro PAIR_0 n, c, pixels
    .if \c & 1
    UPPER   \n, (\c / 2), smlad, \pixels, r4
    .else
    .if \c / 2 < \n
    UPPER   \n, (\c / 2), smlad, \pixels, r3, 1
    .endif
    .if \c >= 2
    UPPER   \n, (\c / 2 - 1), smlad, \pixels, r5
    .endif
    .endif
.endm

.macro PAIR_1 n, c, pixels
    .if \c & 1
    UPPER   \n, (\c / 2), smlabt, \pixels, r12
    LOWER   \n, (\c / 2), smlad, \pixels, r4
    .else
    .if \c / 2 < \n
    UPPER   \n, (\c / 2), smlabb, \pixels, r12
    LOWER   \n, (\c / 2), smlad, \pixels, r3, 1
    .endif
    .if \c >= 2
    UPPER   \n, (\c / 2 - 1), smlabb, \pixels, lr
    LOWER   \n, (\c / 2 - 1), smlad, \pixels, r5
    .endif
    .endif
.endm

.macro PAIR_2 n, c, pixels
    .if \c & 1
    LOWER   \n, (\c / 2), smlabt, \pixels, r12
    .else
    .if \c / 2 < \n
    LOWER   \n, (\c / 2), smlabb, \pixels, r12
    .endif
    .if \c >= 2
    LOWER   \n, (\c / 2 - 1), smlabb, \pixels, lr
    .endif
    .endif
.endm

#ifdef TE_DUAL_ISSUE

/* Place i in the order of words, which are in r1 and r2 by turns: behind its products the word two places on is loaded,
 * beside a multiplication. */
.macro AHEAD register, i, columns, pairs
    .if \i + 2 < \columns * \pairs
    WORD    \register, ((\i + 2) % \columns), ((\i + 2) / \columns)
    .endif
.endm

.macro PLACE_1 n, i, pixels
    .if \i < \n + 2
    FIRST_PAIR \n, \i, \pixels
    .else
    SECOND_PAIR \n, (\i - \n - 2), \pixels
    .endif
    AHEAD   \pixels, \i, (\n + 2), 2
    .if \i == 0                     /* taps where those before are no longer needed */
    TAP     r5, 2
    .endif
    .if \i == \n
    TAP     r3, 3
    .endif
    .if \i == \n + 1
    TAP     r4, 4
    TAP     r5, 5
    .endif
.endm

.macro PLACE_2 n, i, pixels
    .if \i < 2 * \n + 1
    PAIR_0  \n, \i, \pixels
    .elseif \i < 4 * \n + 2
    PAIR_1  \n, (\i - 2 * \n - 1), \pixels
    .else
    PAIR_2  \n, (\i - 4 * \n - 2), \pixels
    .endif
    AHEAD   \pixels, \i, (2 * \n + 1), 3
    .if \i == 0
    TAP     r5, 2
    .endif
    .if \i == 1
    TAP     r12, 3
    .endif
    .if \i == 2
    TAP     lr, 4
    .endif
.endm

.macro PLACES stride, n, i
    .if (\stride == 1 && \i < 2 * \n + 4) || (\stride == 2 && \i < 6 * \n + 3)
    .if \i & 1
    PLACE_\stride \n, \i, r2
    .else
    PLACE_\stride \n, \i, r1
    .endif
    PLACES  \stride, \n, (\i + 1)
    .endif
.endm

.macro PRODUCTS stride, n
    TAP     r3, 0
    LOAD_BIAS \n
    WORD    r1, 0, 0
    TAP     r4, 1
    WORD    r2, 1, 0
    PLACES  \stride, \n, 0
.endm

#else

/* Loads stand in batches. */
.macro PRODUCTS_1 n
    TAP     r3, 0
    LOAD_BIAS \n
    WORD    r1, 0, 0
    TAP     r4, 1
    TAP     r5, 2
    WORD    r2, 1, 0
    FIRST_PAIR \n, 0, r1
    FIRST_PAIR \n, 1, r2
    .if \n == 1
    WORD    r1, 2, 0
    TAP     r3, 3
    TAP     r4, 4
    FIRST_PAIR \n, 2, r1
    TAP     r5, 5
    .elseif \n == 2
    WORD    r1, 2, 0
    WORD    r2, 3, 0
    TAP     r3, 3
    FIRST_PAIR \n, 2, r1
    FIRST_PAIR \n, 3, r2
    TAP     r4, 4
    TAP     r5, 5
    .else
    WORD    r1, 2, 0
    WORD    r2, 3, 0
    FIRST_PAIR \n, 2, r1
    FIRST_PAIR \n, 3, r2
    WORD    r1, 4, 0
    .if \n == 3
    TAP     r3, 3
    TAP     r4, 4
    FIRST_PAIR \n, 4, r1
    TAP     r5, 5
    .else
    WORD    r2, 5, 0
    TAP     r3, 3
    FIRST_PAIR \n, 4, r1
    FIRST_PAIR \n, 5, r2
    TAP     r4, 4
    TAP     r5, 5
    .endif
    .endif
    WORD    r1, 0, 1
    WORD    r2, 1, 1
    SECOND_PAIR \n, 0, r1
    SECOND_PAIR \n, 1, r2
    WORD    r1, 2, 1
    .if \n > 1
    WORD    r2, 3, 1
    .endif
    SECOND_PAIR \n, 2, r1
    .if \n > 1
    SECOND_PAIR \n, 3, r2
    .endif
    .if \n > 2
    WORD    r1, 4, 1
    .if \n > 3
    WORD    r2, 5, 1
    .endif
    SECOND_PAIR \n, 4, r1
    .if \n > 3
    SECOND_PAIR \n, 5, r2
    .endif
    .endif
.endm

/* With three columns the lower sums' registers, and taps that are no longer needed, hold words as well; with fewer r10
 * and r11 do. */
.macro PRODUCTS_2 n
    TAP     r3, 0
    LOAD_BIAS \n
    WORD    r1, 0, 0
    TAP     r4, 1
    WORD    r2, 1, 0
    TAP     r5, 2
    TAP     r12, 3
    TAP     lr, 4
    .if \n == 3
    WORD    r7, 2, 0
    WORD    r9, 3, 0
    PAIR_0  3, 0, r1
    PAIR_0  3, 1, r2
    PAIR_0  3, 2, r7
    PAIR_0  3, 3, r9
    WORD    r1, 4, 0
    WORD    r2, 5, 0
    WORD    r7, 6, 0
    WORD    r9, 0, 1
    PAIR_0  3, 4, r1
    PAIR_0  3, 5, r2
    PAIR_0  3, 6, r7
    PAIR_1  3, 0, r9
    WORD    r1, 1, 1
    WORD    r2, 2, 1
    PAIR_1  3, 1, r1
    PAIR_1  3, 2, r2
    WORD    r1, 3, 1
    WORD    r2, 4, 1
    PAIR_1  3, 3, r1
    PAIR_1  3, 4, r2
    WORD    r1, 5, 1
    WORD    r2, 6, 1
    WORD    r3, 0, 2
    PAIR_1  3, 5, r1
    PAIR_1  3, 6, r2
    PAIR_2  3, 0, r3
    WORD    r1, 1, 2
    WORD    r2, 2, 2
    WORD    r3, 3, 2
    WORD    r4, 4, 2
    PAIR_2  3, 1, r1
    PAIR_2  3, 2, r2
    PAIR_2  3, 3, r3
    PAIR_2  3, 4, r4
    WORD    r1, 5, 2
    WORD    r2, 6, 2
    PAIR_2  3, 5, r1
    PAIR_2  3, 6, r2
    .else
    WORD    r10, 2, 0
    .if \n == 2
    WORD    r11, 3, 0
    PAIR_0  2, 0, r1
    PAIR_0  2, 1, r2
    PAIR_0  2, 2, r10
    PAIR_0  2, 3, r11
    WORD    r1, 4, 0
    WORD    r2, 0, 1
    WORD    r10, 1, 1
    WORD    r11, 2, 1
    PAIR_0  2, 4, r1
    PAIR_1  2, 0, r2
    PAIR_1  2, 1, r10
    PAIR_1  2, 2, r11
    WORD    r1, 3, 1
    WORD    r2, 4, 1
    WORD    r10, 0, 2
    WORD    r11, 1, 2
    PAIR_1  2, 3, r1
    PAIR_1  2, 4, r2
    PAIR_2  2, 0, r10
    PAIR_2  2, 1, r11
    WORD    r1, 2, 2
    WORD    r2, 3, 2
    WORD    r10, 4, 2
    PAIR_2  2, 2, r1
    PAIR_2  2, 3, r2
    PAIR_2  2, 4, r10
    .else
    WORD    r11, 0, 1
    PAIR_0  1, 0, r1
    PAIR_0  1, 1, r2
    PAIR_0  1, 2, r10
    PAIR_1  1, 0, r11
    WORD    r1, 1, 1
    WORD    r2, 2, 1
    WORD    r10, 0, 2
    WORD    r11, 1, 2
    WORD    r8, 2, 2
    PAIR_1  1, 1, r1
    PAIR_1  1, 2, r2
    PAIR_2  1, 0, r10
    PAIR_2  1, 1, r11
    PAIR_2  1, 2, r8
    .endif
    .endif
.endm

.macro PRODUCTS stride, n
    PRODUCTS_\stride \n
.endm

#endif

/* ---- rounding: M in r1, C in r2, e in r3 --------------------------------------------------------------------------- */

.macro FAST_TWO upper, lower
    smmlar  \upper, \upper, r1, r2
    smmlar  \lower, \lower, r1, r2
.endm

.macro EXACT_TWO upper, lower
    add     r4, r2, \upper, asr #31
    add     r5, r2, \lower, asr #31
    smmlar  \upper, \upper, r1, r4
    smmlar  \lower, \lower, r1, r5
    asr     \upper, \upper, r3
    asr     \lower, \lower, r3
.endm

/* y in r3, pitch in r4, line in r5. Saturation stands between y and the stores that it addresses. */
.macro STORE_TWO upper, lower
    ssat    \lower, #8, \lower
    ssat    \upper, #8, \upper
    strb.w  \lower, [r3, r5]
    strb.w  \upper, [r3]
    add     r3, r3, r4
.endm

.macro EACH macro, n
    \macro  r6, r7
    .if \n > 1
    \macro  r8, r9
    .endif
    .if \n > 2
    \macro  r10, r11
    .endif
    .if \n > 3
    \macro  r12, lr
    .endif
.endm

/* Two rows of \n outputs; whole: not those behind whole blocks. Leaves y behind them in r3. */
.macro BLOCK name, n, stride, exact, whole
    PRODUCTS \stride, \n
    ldr.w   r1, [sp, #Q_M]
    ldr.w   r2, [sp, #Q_C]
    .if \exact
    ldr.w   r3, [sp, #Q_E]
    cmp     r3, #0
    bne.w   .Lexact_\name\()_\n
    EACH    FAST_TWO, \n
.Lrounded_\name\()_\n:
    ldr.w   r3, [sp, #Q_Y]
    ldr.w   r4, [sp, #Q_PITCH]
    ldr.w   r5, [sp, #Q_LINE]
    .else
    ldr.w   r3, [sp, #Q_Y]
    ldr.w   r4, [sp, #Q_PITCH]
    ldr.w   r5, [sp, #Q_LINE]
    EACH    FAST_TWO, \n
    .endif
    .if \whole
    ldr.w   r1, [sp, #Q_END]
    add     r0, r0, #(\n * \stride * STEP)
    .endif
    EACH    STORE_TWO, \n
    .if \whole
    str     r3, [sp, #Q_Y]
    .endif
.endm

/* Behind the code of a block: how its sums are rounded where e is not 0. */
.macro BLOCK_EXACT name, n, exact
    .if \exact
.Lexact_\name\()_\n:
    EACH    EXACT_TWO, \n
    b.w     .Lrounded_\name\()_\n
    .endif
.endm

/* void name(const te_depthwise_quad_args *args) */
.macro QUAD name, columns, stride, exact
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #Q_FRAME
    ldmia   r0, {r1-r9}             /* staged constants y pitch line rows blocks rest zero */
    .if \exact
    lsl     r9, r9, #1
    add     r9, r9, #1
    .endif
    str     r1, [sp, #Q_STAGED]
    str     r2, [sp, #Q_CONSTANTS]
    str     r3, [sp, #Q_Y_CHANNEL]
    str     r4, [sp, #Q_PITCH]
    str     r5, [sp, #Q_WHOLE_LINE]
    str     r6, [sp, #Q_ROWS]
    str     r9, [sp, #Q_ZERO]
    .if !\exact
    str     r9, [sp, #Q_C]
    .endif
    movs    r1, #\columns
    mla     r2, r7, r1, r8
    mul     r2, r2, r4              /* bytes of a row of outputs */
    rsb     r2, r2, r5, lsl #1
    str     r2, [sp, #Q_Y_BACK]
    movw    r1, #(\columns * \stride * STEP)
    mul     r7, r7, r1
    str     r7, [sp, #Q_BLOCK_BYTES]
    rsb     r7, r7, #(4 * \stride)
    str     r7, [sp, #Q_BACK]
    adr     r1, .Ltable\@
    ldr     r1, [r1, r8, lsl #2]
    adr.w   r2, .Lbase\@
    add     r1, r1, r2
    str     r1, [sp, #Q_REST]
    movs    r1, #4
    str     r1, [sp, #Q_LEFT]
    b       .Lchannel\@
    .p2align 2
.Ltable\@:
    .word   .Lnext_row\@ - .Lbase\@ + 1, .Lrest_1\@ - .Lbase\@ + 1, .Lrest_2\@ - .Lbase\@ + 1
    .if \columns > 3
    .word   .Lrest_3\@ - .Lbase\@ + 1
    .endif
    .p2align 2
.Lbase\@:

.Lchannel\@:
    ldr     r0, [sp, #Q_CONSTANTS]
    .if \exact
    ldmia   r0!, {r1-r6}            /* taps bias M e+l */
    .else
    ldmia   r0!, {r1-r5}
    .endif
    str     r0, [sp, #Q_CONSTANTS]
    sxtb16  r7, r1
    .if \stride == 1
    sxtb16  r10, r1, ror #8
    sxtb16  r8, r2
    sxtb16  r11, r2, ror #8
    sxtb16  r9, r3
    sxtb16  r12, r3, ror #8
    .else
    sxtb16  r8, r1, ror #8
    sxtb16  r9, r2
    sxtb16  r10, r2, ror #8
    sxtb16  r11, r3
    .endif
    str     r4, [sp, #Q_BIAS]
    str     r5, [sp, #Q_M]
    .if \exact
    lsrs    r1, r6, #8
    uxtb    r6, r6
    beq     .Lsingle\@
.Ldouble\@:
    .irp    r, r7, r8, r9, r10, r11
    sadd16  \r, \r, \r
    .endr
    .if \stride == 1
    sadd16  r12, r12, r12
    .endif
    subs    r1, #1
    bne     .Ldouble\@
.Lsingle\@:
    ldr     r2, [sp, #Q_ZERO]
    lsl     r2, r2, r6
    asr     r2, r2, #1
    str     r2, [sp, #Q_C]
    str     r6, [sp, #Q_E]
    .endif
    .if \stride == 1
    stmia.w sp, {r7-r12}
    .else
    stmia.w sp, {r7-r11}
    .endif
    ldr     r0, [sp, #Q_STAGED]
    ldr     r5, [sp, #Q_BLOCK_BYTES]
    ldr     r3, [sp, #Q_Y_CHANNEL]
    ldr     r4, [sp, #Q_ROWS]
    ldr     r2, [sp, #Q_WHOLE_LINE]
    add     r5, r5, r0
.Lrow\@:                            /* two rows, of r4; r5: end of whole blocks */
    str     r3, [sp, #Q_Y]
    str     r4, [sp, #Q_ROWS_LEFT]
    cmp     r4, #1
    it      eq
    moveq   r2, #0
    str     r2, [sp, #Q_LINE]
    str     r5, [sp, #Q_END]
    cmp     r0, r5
    beq.w   .Lbehind\@
.Lblock\@:
    BLOCK   \name, \columns, \stride, \exact, 1
    cmp     r0, r1
    bne.w   .Lblock\@
.Lbehind\@:
    ldr     pc, [sp, #Q_REST]
.Lrest_1\@:
    BLOCK   \name, 1, \stride, \exact, 0
    b.w     .Lnext_row\@
.Lrest_2\@:
    BLOCK   \name, 2, \stride, \exact, 0
    .if \columns > 3
    b.w     .Lnext_row\@
.Lrest_3\@:
    BLOCK   \name, 3, \stride, \exact, 0
    .endif
.Lnext_row\@:                       /* r0: end of whole blocks, r3: y behind the row */
    ldr     r1, [sp, #Q_Y_BACK]
    ldr     r2, [sp, #Q_BACK]
    ldr     r4, [sp, #Q_ROWS_LEFT]
    add     r5, r0, #(4 * \stride)
    add     r3, r3, r1
    add     r0, r0, r2
    subs    r4, #2
    ldr     r2, [sp, #Q_LINE]
    bgt     .Lrow\@

    ldr     r0, [sp, #Q_STAGED]
    ldr     r1, [sp, #Q_Y_CHANNEL]
    ldr     r2, [sp, #Q_LEFT]
    adds    r0, #CHANNEL
    adds    r1, #1
    subs    r2, #1
    str     r0, [sp, #Q_STAGED]
    str     r1, [sp, #Q_Y_CHANNEL]
    str     r2, [sp, #Q_LEFT]
    bne.w   .Lchannel\@
    add     sp, #Q_FRAME
    pop     {r4-r11, pc}
    BLOCK_EXACT \name, \columns, \exact
    BLOCK_EXACT \name, 1, \exact
    BLOCK_EXACT \name, 2, \exact
    .if \columns > 3
    BLOCK_EXACT \name, 3, \exact
    .endif
    .size \name, . - \name
.endm

    QUAD    te_depthwise_quad_fast, COLUMNS_1, 1, 0
    QUAD    te_depthwise_quad_exact, COLUMNS_1, 1, 1
    QUAD    te_depthwise_quad_by_2_fast, COLUMNS_2, 2, 0
    QUAD    te_depthwise_quad_by_2_exact, COLUMNS_2, 2, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
