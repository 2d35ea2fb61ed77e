/* Inner loops of te_depthwise_quads.h for Armv7E-M and Armv8-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

#define STEP 128
#define CHANNEL 32

/* ---- staging ------------------------------------------------------------------------------------------------------- */

/* Channels 0..3 of the next two pixels: their bytes to r4 and r5. */
.macro STAGE_LOAD
    ldr.w   r4, [r0]
    ldr.w   r5, [r0, r1]
    add     r0, r0, r1, lsl #1
.endm

/* Those bytes as words of a row, r4-r7: both pixels of a channel in each. */
.macro STAGE_WIDEN
    sxtb16  r8, r4
    sxtb16  r9, r4, ror #8
    sxtb16  r10, r5
    sxtb16  r11, r5, ror #8
    pkhbt   r4, r8, r10, lsl #16
    pkhtb   r6, r10, r8, asr #16
    pkhbt   r5, r9, r11, lsl #16
    pkhtb   r7, r11, r9, asr #16
.endm

/* Those words to the row at r2; with add in place of adds the flags stay. */
.macro STAGE_STORE add=adds
    str.w   r4, [r2]
    str.w   r5, [r2, #CHANNEL]
    str.w   r6, [r2, #(2 * CHANNEL)]
    str.w   r7, [r2, #(3 * CHANNEL)]
    \add    r2, r2, #STEP
.endm

#define S_X 0
#define S_PITCH 4
#define S_LINE 8
#define S_TO 12
#define S_ROWS 16
#define S_LEAD 20
#define S_WORDS 24
#define S_ODD 28
#define S_PADDING 32
#define S_FRAME 36

/* void te_depthwise_stage(const te_depthwise_stage_args *args) */
FUNCTION te_depthwise_stage
    push    {r4-r11, lr}
    sub     sp, #S_FRAME
    ldmia   r0, {r1-r9}
    stmia.w sp, {r1-r9}
    mov     lr, r9
    ldr     r1, [sp, #S_PITCH]
.Lstage_row:
    ldr     r0, [sp, #S_X]
    ldr     r2, [sp, #S_TO]
    ldr     r3, [sp, #S_LINE]
    ldr     r4, [sp, #S_LEAD]
    add     r3, r3, r0
    adds    r5, r2, #4
    str     r3, [sp, #S_X]
    str     r5, [sp, #S_TO]
    ldr     r3, [sp, #S_WORDS]
    cbz     r4, .Lstage_words
    ldr     r4, [r0]
    add     r0, r0, r1
    sxtb16  r8, r4
    sxtb16  r9, r4, ror #8
    pkhbt   r4, lr, r8, lsl #16
    pkhtb   r6, r8, lr
    pkhbt   r5, lr, r9, lsl #16
    pkhtb   r7, r9, lr
    STAGE_STORE
.Lstage_words:
    lsrs    r3, r3, #1
    bcc     .Lstage_even
    STAGE_LOAD
    STAGE_WIDEN
    STAGE_STORE
.Lstage_even:
    cmp     r3, #0
    beq.w   .Lstage_last
.Lstage_two:
    STAGE_LOAD
    STAGE_WIDEN
    STAGE_STORE
    STAGE_LOAD
    subs    r3, #1
    STAGE_WIDEN
    STAGE_STORE add
    bne     .Lstage_two
.Lstage_last:
    ldr     r4, [sp, #S_ODD]
    cbz     r4, .Lstage_padding
    ldr     r4, [r0]
    sxtb16  r8, r4
    sxtb16  r9, r4, ror #8
    pkhbt   r4, r8, lr
    pkhtb   r6, lr, r8, asr #16
    pkhbt   r5, r9, lr
    pkhtb   r7, lr, r9, asr #16
    b       .Lstage_store
.Lstage_padding:
    mov     r4, lr
    mov     r5, lr
    mov     r6, lr
    mov     r7, lr
.Lstage_store:
    STAGE_STORE
    ldr     r4, [sp, #S_ROWS]
    subs    r4, #1
    str     r4, [sp, #S_ROWS]
    bne     .Lstage_row
    add     sp, #S_FRAME
    pop     {r4-r11, pc}
    .size te_depthwise_stage, . - te_depthwise_stage

/* ---- products ------------------------------------------------------------------------------------------------------ */

#define Q_TAPS 0        /* per kernel row (w0,w1) (w1,w2) */
#define Q_BIAS 24
#define Q_M 28
#define Q_C 32          /* fast: zero */
#define Q_Y 36          /* next output */
#define Q_PITCH 40
#define Q_E 44
#define Q_END 48        /* r0 behind the whole blocks of the row */
#define Q_ROW 52        /* where the row's words begin, and its outputs */
#define Q_Y_ROW 56
#define Q_LINE 60
#define Q_ROWS_END 64   /* Q_ROW behind the last row */
#define Q_REST 68       /* code for the outputs behind whole blocks */
#define Q_CONSTANTS 72
#define Q_ZERO 76       /* exact: C of e = 0, doubled */
#define Q_STAGED 80     /* of the channel, and its outputs */
#define Q_Y_CHANNEL 84
#define Q_BLOCK_BYTES 88
#define Q_ROW_BYTES 92
#define Q_LEFT 96       /* channels */
#define Q_FRAME 100


/* Sum i of a block is in register r(6 + i); the first kernel row starts it from the bias in r1. */
.macro MAC name, i, pixels, taps, first
    .if \first
    \name   r\i, \pixels, \taps, r1
    .else
    \name   r\i, \pixels, \taps, r\i
    .endif
.endm

.macro SUM name, index, pixels, taps, first=0
    .if \index == 0
    MAC     \name, 6, \pixels, \taps, \first
    .elseif \index == 1
    MAC     \name, 7, \pixels, \taps, \first
    .elseif \index == 2
    MAC     \name, 8, \pixels, \taps, \first
    .elseif \index == 3
    MAC     \name, 9, \pixels, \taps, \first
    .elseif \index == 4
    MAC     \name, 10, \pixels, \taps, \first
    .else
    MAC     \name, 11, \pixels, \taps, \first
    .endif
.endm

.macro LOAD_TAPS ky
    ldr.w   r12, [sp, #(Q_TAPS + 8 * \ky)]
    ldr.w   lr, [sp, #(Q_TAPS + 8 * \ky + 4)]
    .if \ky == 0
    ldr.w   r1, [sp, #Q_BIAS]
    .endif
.endm

/* Word i, if the outputs take so many. */
.macro LOAD_WORD register, i, ky, wanted=1
    .if \wanted
    ldr.w   \register, [r0, #(STEP * (\i) + 4 * \ky)]
    .endif
.endm

/* Stride 1: an output at a word's first pixel, and at its second one, for the first \n outputs. */
.macro EVEN_1 n, j, word, first
    .if 2 * \j < \n
    SUM     smlad, (2 * \j), \word, r12, \first
    .endif
.endm
.macro ODD_1 n, j, word, first
    .if 2 * \j + 1 < \n
    SUM     smlatb, (2 * \j + 1), \word, r12, \first
    .endif
.endm
.macro EVEN_2 n, j, word
    .if 2 * \j < \n
    SUM     smlabt, (2 * \j), \word, lr
    .endif
.endm
.macro ODD_2 n, j, word
    .if 2 * \j + 1 < \n
    SUM     smlad, (2 * \j + 1), \word, lr
    .endif
.endm

.macro ROW_1 n, ky, first
    LOAD_TAPS \ky
    LOAD_WORD r2, 0, \ky
    LOAD_WORD r3, 1, \ky
    LOAD_WORD r4, 2, \ky, (\n > 2)
    LOAD_WORD r5, 3, \ky, (\n > 4)
    EVEN_1  \n, 0, r2, \first
    ODD_1   \n, 0, r2, \first
    EVEN_1  \n, 1, r3, \first
    ODD_1   \n, 1, r3, \first
    EVEN_1  \n, 2, r4, \first
    ODD_1   \n, 2, r4, \first
    EVEN_2  \n, 0, r3
    ODD_2   \n, 0, r3
    EVEN_2  \n, 1, r4
    ODD_2   \n, 1, r4
    EVEN_2  \n, 2, r5
    ODD_2   \n, 2, r5
.endm

/* Stride 2: output i begins with word i. */
.macro BOTH i, n, word, first
    .if \i < \n
    SUM     smlad, \i, \word, r12, \first
    .endif
    .if \i > 0 && \i <= \n
    SUM     smlabt, (\i - 1), \word, lr
    .endif
.endm

.macro ROW_2 n, ky, first
    LOAD_TAPS \ky
    LOAD_WORD r2, 0, \ky
    LOAD_WORD r3, 1, \ky
    LOAD_WORD r4, 2, \ky, (\n >= 2)
    LOAD_WORD r5, 3, \ky, (\n >= 3)
    BOTH    0, \n, r2, \first
    BOTH    1, \n, r3, \first
    BOTH    2, \n, r4, \first
    BOTH    3, \n, r5, \first
    LOAD_WORD r2, 4, \ky, (\n >= 4)
    LOAD_WORD r3, 5, \ky, (\n >= 5)
    LOAD_WORD r4, 6, \ky, (\n >= 6)
    BOTH    4, \n, r2, \first
    BOTH    5, \n, r3, \first
    BOTH    6, \n, r4, \first
.endm

.macro PRODUCTS stride, n
    ROW_\stride \n, 0, 1
    ROW_\stride \n, 1, 0
    ROW_\stride \n, 2, 0
.endm

/* ---- rounding: M in r2, C in r3, y in r4, pitch in r5 -------------------------------------------------------------- */

.macro FAST_ONE sum
    smmlar  \sum, \sum, r2, r3
.endm

.macro EXACT_ONE sum
    add     r12, r3, \sum, asr #31
    smmlar  \sum, \sum, r2, r12
.endm

.macro SHIFT_ONE sum
    asr     \sum, \sum, r1
.endm

.macro EACH macro, n
    \macro  r6
    .if \n > 1
    \macro  r7
    .endif
    .if \n > 2
    \macro  r8
    .endif
    .if \n > 3
    \macro  r9
    .endif
    .if \n > 4
    \macro  r10
    .endif
    .if \n > 5
    \macro  r11
    .endif
.endm

.macro STORE_TWO n, index, first, second
    .if \index < \n
    ssat    \first, #8, \first
    .if \index + 1 < \n
    ssat    \second, #8, \second
    .endif
    strb.w  \first, [r4]
    .if \index + 1 < \n
    strb.w  \second, [r4, r5]
    .if \index + 2 < \n || \n == 6
    add     r4, r4, r5, lsl #1
    .endif
    .endif
    .endif
.endm

/* Six outputs, or the last \n of a row. */
.macro BLOCK n, stride, exact
    PRODUCTS \stride, \n
    .if \exact
    ldr.w   r1, [sp, #Q_E]
    .endif
    ldr.w   r2, [sp, #Q_M]
    ldr.w   r3, [sp, #Q_C]
    ldr.w   r4, [sp, #Q_Y]
    ldr.w   r5, [sp, #Q_PITCH]
    .if \n == 6
    ldr.w   lr, [sp, #Q_END]
    add     r0, r0, #(3 * \stride * STEP)
    .endif
    .if \exact
    cmp     r1, #0
    beq     .Lwide\@
    EACH    EXACT_ONE, \n
    EACH    SHIFT_ONE, \n
    b       .Lrounded\@
.Lwide\@:
    EACH    FAST_ONE, \n
.Lrounded\@:
    .else
    EACH    FAST_ONE, \n
    .endif
    STORE_TWO \n, 0, r6, r7
    STORE_TWO \n, 2, r8, r9
    STORE_TWO \n, 4, r10, r11
    .if \n == 6
    str     r4, [sp, #Q_Y]
    .endif
.endm

/* void name(const te_depthwise_quad_args *args) */
.macro QUAD name, stride, exact
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
    str     r5, [sp, #Q_LINE]
    str     r9, [sp, #Q_ZERO]
    .if !\exact
    str     r9, [sp, #Q_C]
    .endif
    lsl     r6, r6, #(1 + \stride)
    str     r6, [sp, #Q_ROW_BYTES]
    movw    r1, #(3 * \stride * STEP)
    mul     r7, r7, r1
    str     r7, [sp, #Q_BLOCK_BYTES]
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
    .word   .Lrest_3\@ - .Lbase\@ + 1, .Lrest_4\@ - .Lbase\@ + 1, .Lrest_5\@ - .Lbase\@ + 1
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
    sxtb16  r8, r1, ror #8
    sxtb16  r9, r2
    sxtb16  r10, r2, ror #8
    sxtb16  r11, r3
    sxtb16  r12, r3, ror #8
    str     r4, [sp, #Q_BIAS]
    str     r5, [sp, #Q_M]
    .if \exact
    lsr     r1, r6, #8
    uxtb    r6, r6
.Ldouble\@:
    .irp    r, r7, r8, r9, r10, r11, r12
    sadd16  \r, \r, \r
    .endr
    subs    r1, #1
    bne     .Ldouble\@
    ldr     r2, [sp, #Q_ZERO]
    lsl     r2, r2, r6
    asr     r2, r2, #1
    str     r2, [sp, #Q_C]
    str     r6, [sp, #Q_E]
    .endif
    stmia.w sp, {r7-r12}
    ldr     r0, [sp, #Q_STAGED]
    ldr     r1, [sp, #Q_BLOCK_BYTES]
    ldr     r2, [sp, #Q_ROW_BYTES]
    ldr     r4, [sp, #Q_Y_CHANNEL]
    add     r3, r0, r1
    add     r2, r2, r0
    str     r3, [sp, #Q_END]
    str     r0, [sp, #Q_ROW]
    str     r2, [sp, #Q_ROWS_END]
    str     r4, [sp, #Q_Y_ROW]
    str     r4, [sp, #Q_Y]
.Lrow\@:
    cmp     r0, r3
    beq.w   .Lbehind\@
.Lblock\@:
    BLOCK   6, \stride, \exact
    cmp     r0, lr
    bne.w   .Lblock\@
.Lbehind\@:
    ldr     pc, [sp, #Q_REST]
.Lrest_1\@:
    BLOCK   1, \stride, \exact
    b.w     .Lnext_row\@
.Lrest_2\@:
    BLOCK   2, \stride, \exact
    b.w     .Lnext_row\@
.Lrest_3\@:
    BLOCK   3, \stride, \exact
    b.w     .Lnext_row\@
.Lrest_4\@:
    BLOCK   4, \stride, \exact
    b.w     .Lnext_row\@
.Lrest_5\@:
    BLOCK   5, \stride, \exact
.Lnext_row\@:
    ldr     r0, [sp, #Q_ROW]
    ldr     r1, [sp, #Q_Y_ROW]
    ldr     r2, [sp, #Q_LINE]
    ldr     r3, [sp, #Q_END]
    ldr     r4, [sp, #Q_ROWS_END]
    adds    r0, #(4 * \stride)
    adds    r3, #(4 * \stride)
    add     r1, r1, r2
    str     r0, [sp, #Q_ROW]
    str     r1, [sp, #Q_Y_ROW]
    str     r1, [sp, #Q_Y]
    str     r3, [sp, #Q_END]
    cmp     r0, r4
    bne.w   .Lrow\@

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
    .size \name, . - \name
.endm

    QUAD    te_depthwise_quad_fast, 1, 0
    QUAD    te_depthwise_quad_exact, 1, 1
    QUAD    te_depthwise_quad_by_2_fast, 2, 0
    QUAD    te_depthwise_quad_by_2_exact, 2, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
