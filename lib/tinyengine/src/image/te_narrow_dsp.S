/* Rows of sums narrowed (te_lines.h), for Armv7E-M.
 *
 * r0 sums, r1 columns (te_image.c, narrow_tables). Numbers of 16 bits become signed, 0x8000 less, where they may be
 * larger than 0x7FFF: with weights whose sum is 2^14, totals are 2^29 less. Totals of the output and of the one behind
 * it change places from output to output. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

#define MIDDLE 0x20000000 /* 2^29 */
#define TO_SIGNED 0x80008000
#define EIGHT_BITS 1024 /* the highest word of a total times this is rounded to 8 bits */
#define END [sp]
#define VALUES [sp, #8]
#define VALUES_RESULT [sp, #8]
#define RESULT [sp, #12]

.macro ENTER
    push    {r4-r11, lr}
    ldrd    r10, r11, [r0, #8]
    ldrd    r0, r1, [r0]
    push    {r8-r11}
.endm

.macro LEAVE name
.Lend_\name:
    add     sp, #16
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* A segment's number of blocks, less \peeled, in \count, flags after that; r0 at its first block. */
.macro SEGMENT name, count, step, peeled
    ldrd    \count, \step, [r1], #8
    add     r0, \step
    subs    \count, #\peeled
    bcc     .Lend_\name
.endm

/* A total as a value of the input to \result; \scale: 2^32 / what is 1. */
.macro PUT total, scale, values, result
    smmulr  \total, \total, \scale
    ldrsb   \total, [\values, \total]
    strb    \total, [\result], #1
.endm

/* ---- RGB565: r2-r4, r5-r7 totals, r8-r9 numbers, r10 result, r11-r12 weights, lr count ---- */

.macro BLOCK_565 r, g, b, next_r, next_g, next_b, more
    ldrd    r8, r9, [r0], #24
    ldrd    r11, r12, [r1], #8
    smlad   \r, r8, r11, \r
    smlad   \g, r9, r11, \g
    .if \more
    smlad   \next_r, r8, r12, \next_r
    smlad   \next_g, r9, r12, \next_g
    .else
    smuad   \next_r, r8, r12
    smuad   \next_g, r9, r12
    .endif
    add     r9, r9, r8, lsl #6
    ldr     r8, [r0, #-16]
    sub     r8, r8, r9, lsl #5 /* blue: whole pixels, less red and green */
    smlad   \b, r8, r11, \b
    .if \more
    smlad   \next_b, r8, r12, \next_b
    .else
    smuad   \next_b, r8, r12
    .endif
.endm

.macro OUTPUT_565 r, g, b, next_r, next_g, next_b
    SEGMENT te_narrow_rgb565, lr, r12, 2
    BLOCK_565 \r, \g, \b, \next_r, \next_g, \next_b, 0
    BLOCK_565 \r, \g, \b, \next_r, \next_g, \next_b, 1
    beq     2f
1:  BLOCK_565 \r, \g, \b, \next_r, \next_g, \next_b, 1
    subs    lr, #1
    bne     1b
2:  ldm     sp, {r8, r11, r12} /* values, SCALE_5, SCALE_6 */
    PUT     \r, r11, r8, r10
    PUT     \g, r12, r8, r10
    PUT     \b, r11, r8, r10
.endm

FUNCTION te_narrow_rgb565
    ENTER
    ldrd    r8, r10, VALUES_RESULT
    movw    r9, #8423
    movw    r11, #4145
    strd    r8, r9, [sp]
    str     r11, [sp, #8]
    mov     r2, #0
    mov     r3, #0
    mov     r4, #0
.Loutputs_565:
    OUTPUT_565 r2, r3, r4, r5, r6, r7
    OUTPUT_565 r5, r6, r7, r2, r3, r4
    b       .Loutputs_565
    LEAVE   te_narrow_rgb565

/* ---- RGB888: r2-r4, r5-r7 totals, r8-r9 numbers, r10-r12 and lr weights, which end where the stack says ---- */

.macro PRODUCT way, weights, next_weights, number, total, next
    smla\way \total, \number, \weights, \total
    smla\way \next, \number, \next_weights, \next
.endm

/* Halves of the six words: R0 B0, G0 R1; G1 R2, B1 G2; B2 G3, R3 B3. Those of weights: 0 2, 1 3. */
.macro BLOCK_888 r, g, b, next_r, next_g, next_b
    ldm     r1!, {r10-r12, lr}
    ldrd    r8, r9, [r0], #48
    eor     r8, r8, #TO_SIGNED
    eor     r9, r9, #TO_SIGNED
    PRODUCT bb, r10, r12, r8, \r, \next_r
    PRODUCT tb, r10, r12, r8, \b, \next_b
    PRODUCT bb, r10, r12, r9, \g, \next_g
    PRODUCT tb, r11, lr, r9, \r, \next_r
    ldrd    r8, r9, [r0, #-32]
    eor     r8, r8, #TO_SIGNED
    eor     r9, r9, #TO_SIGNED
    PRODUCT bb, r11, lr, r8, \g, \next_g
    PRODUCT tt, r10, r12, r8, \r, \next_r
    PRODUCT bb, r11, lr, r9, \b, \next_b
    PRODUCT tt, r10, r12, r9, \g, \next_g
    ldrd    r8, r9, [r0, #-16]
    eor     r8, r8, #TO_SIGNED
    eor     r9, r9, #TO_SIGNED
    PRODUCT bt, r10, r12, r8, \b, \next_b
    PRODUCT tt, r11, lr, r8, \g, \next_g
    PRODUCT bt, r11, lr, r9, \r, \next_r
    PRODUCT tt, r11, lr, r9, \b, \next_b
.endm

.macro OUTPUT_888 r, g, b, next_r, next_g, next_b
    ldrd    r8, r9, [r1], #8
    cmp     r8, #0
    beq     .Lend_te_narrow_rgb888
    add     r0, r9
    add     r8, r1, r8, lsl #4
    str     r8, END
    mov     \next_r, #MIDDLE
    mov     \next_g, #MIDDLE
    mov     \next_b, #MIDDLE
1:  BLOCK_888 \r, \g, \b, \next_r, \next_g, \next_b
    ldr     r8, END
    cmp     r1, r8
    bne     1b
    ldrd    r8, r9, VALUES_RESULT
    mov     r10, #EIGHT_BITS
    PUT     \r, r10, r8, r9
    PUT     \g, r10, r8, r9
    PUT     \b, r10, r8, r9
    str     r9, RESULT
.endm

FUNCTION te_narrow_rgb888
    ENTER
    mov     r2, #MIDDLE
    mov     r3, #MIDDLE
    mov     r4, #MIDDLE
.Loutputs_888:
    OUTPUT_888 r2, r3, r4, r5, r6, r7
    OUTPUT_888 r5, r6, r7, r2, r3, r4
    b       .Loutputs_888
    LEAVE   te_narrow_rgb888

/* ---- YUV 4:2:2: r2-r4, r5-r7 totals, r8 both luma, r9 U and V, r10-r11 weights, r12 ones, lr count ----
 *
 * U and V belong to both pixels. Their totals are without 128. */

.macro BLOCK_YUV y_first, y, u, v, next_y, next_u, next_v
    .if \y_first
    ldrd    r8, r9, [r0], #16
    .else
    ldrd    r9, r8, [r0], #16
    .endif
    ldrd    r10, r11, [r1], #8
    eor     r8, r8, #TO_SIGNED
    eor     r9, r9, #TO_SIGNED
    smlad   \y, r8, r10, \y
    smlad   \next_y, r8, r11, \next_y
    smuad   r10, r10, r12
    smuad   r11, r11, r12
    smlabb  \u, r9, r10, \u
    smlatb  \v, r9, r10, \v
    smlabb  \next_u, r9, r11, \next_u
    smlatb  \next_v, r9, r11, \next_v
.endm

/* JPEG's conversion, as te_pixels.c has it. */
.macro OUTPUT_YUV name, y_first, y, u, v, next_y, next_u, next_v
    SEGMENT \name, lr, r8, 1
    mov     \next_y, #MIDDLE
    mov     \next_u, #0
    mov     \next_v, #0
1:  BLOCK_YUV \y_first, \y, \u, \v, \next_y, \next_u, \next_v
    subs    lr, #1
    bpl     1b
    mov     r8, #EIGHT_BITS
    mov     r9, #0x8000
    smmulr  \y, \y, r8
    smmulr  \u, \u, r8
    smmulr  \v, \v, r8
    ldr     r10, =91881
    mla     r10, \v, r10, r9
    add     r10, \y, r10, asr #16
    usat    r10, #8, r10
    ldr     r11, =-22554
    mla     r11, \u, r11, r9
    ldr     lr, =-46802
    mla     r11, \v, lr, r11
    add     r11, \y, r11, asr #16
    usat    r11, #8, r11
    ldr     lr, =116130
    mla     lr, \u, lr, r9
    add     lr, \y, lr, asr #16
    usat    lr, #8, lr
    ldrd    r8, r9, VALUES_RESULT
    ldrsb   r10, [r8, r10]
    ldrsb   r11, [r8, r11]
    ldrsb   lr, [r8, lr]
    strb    r10, [r9], #1
    strb    r11, [r9], #1
    strb    lr, [r9], #1
    str     r9, RESULT
.endm

.macro NARROW_YUV name, y_first
FUNCTION \name
    ENTER
    mov     r12, #0x00010001
    mov     r2, #MIDDLE
    mov     r3, #0
    mov     r4, #0
.Loutputs_\name:
    OUTPUT_YUV \name, \y_first, r2, r3, r4, r5, r6, r7
    OUTPUT_YUV \name, \y_first, r5, r6, r7, r2, r3, r4
    b       .Loutputs_\name
    LEAVE   \name
    .ltorg
.endm

    NARROW_YUV te_narrow_yuyv, 1
    NARROW_YUV te_narrow_uyvy, 0

/* ---- Gray: r2, r3 totals, r4-r5 numbers, r6-r9 weights, r10 values, r11 result, r12 count, lr scale ---- */

/* `four`: pixels of a block, else two in the first of two words. */
.macro OUTPUT_GRAY name, four, total, next
    SEGMENT \name, r12, r4, 1
    mov     \next, #MIDDLE
1:  .if \four
    ldrd    r4, r5, [r0], #16
    ldm     r1!, {r6-r9}
    eor     r5, r5, #TO_SIGNED
    smlad   \total, r5, r7, \total
    smlad   \next, r5, r9, \next
    .else
    ldr     r4, [r0], #16
    ldrd    r6, r8, [r1], #8
    .endif
    eor     r4, r4, #TO_SIGNED
    smlad   \total, r4, r6, \total
    smlad   \next, r4, r8, \next
    subs    r12, #1
    bpl     1b
    PUT     \total, lr, r10, r11
.endm

/* `word`: of a block, that the first number lies in. */
.macro NARROW_GRAY name, four, word
FUNCTION \name
    ENTER
    .if \word
    add     r0, #4 * \word
    .endif
    mov     lr, #EIGHT_BITS
    mov     r2, #MIDDLE
.Loutputs_\name:
    OUTPUT_GRAY \name, \four, r2, r3
    OUTPUT_GRAY \name, \four, r3, r2
    b       .Loutputs_\name
    LEAVE   \name
.endm

    NARROW_GRAY te_narrow_gray8, 1, 0
    NARROW_GRAY te_narrow_yuyv_gray, 0, 0
    NARROW_GRAY te_narrow_uyvy_gray, 0, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
