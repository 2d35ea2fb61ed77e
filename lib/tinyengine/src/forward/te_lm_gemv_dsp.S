/* Matrices of language models times a vector, for Armv7E-M; layouts: te_lm_kernels.h.
 *
 * REGISTERS, 8 bits: r0 x, r1 weights, r2 r3 r12 lr 8 columns of x, r4-r7 weights, r8 sum of rows 0 and 1 as they lie in
 * halfwords (A0 + 256 A1), r9 A0, r10 r11 the same of rows 2 and 3. BUDGET: 27 instructions per 8 columns of 4 rows, 3
 * per pass of the loop, 18 per 4 rows (13 without a loop), one more for adding.
 * REGISTERS, 4 bits: r0 x, r1 weights, r2 r3 x, r4-r7 weights, r8-r11 sums: of halfwords as they are, of their low halves
 * in bytes, of the lowest four bits, of the lower bytes; r12 masked weights, lr end of the groups. BUDGET: 31 instructions
 * per 8 columns of 4 rows, 14 per group, 20 per 4 rows.
 */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

#define STEPS 8 /* of 8 columns, per pass of the loop */
#define STEP_CODE_BYTES 108 /* only 32-bit instructions, so that the loop can be entered at any step */

#define F_X 0
#define F_Y_END 4
#define F_END 8 /* of x, or of its part */
#define F_Y 12
#define F_ENTRY 16 /* where the first pass enters the loop */
#define FRAME 20
#define F_PART 20 /* bytes */
#define F_X_END 24
#define F_ODD 28 /* sums of rows 1 and 3 in the parts before */
#define F_FIRST 36 /* end of the first part */
#define F_NEXT 40 /* where the other parts enter the loop */
#define PARTS_FRAME 44

/* Two columns of two rows. */
.macro TWO weights, x, raw, even, first
    .if \first
    smuad   \raw, \x, \weights
    sxtb16  \weights, \weights
    smuad   \even, \x, \weights
    .else
    smlad   \raw, \x, \weights, \raw
    sxtb16  \weights, \weights
    smlad   \even, \x, \weights, \even
    .endif
.endm

.macro STEP first=0
    ldmia.w r0!, {r2, r3, r12, lr}
    ldmia.w r1!, {r4-r7}
    TWO     r4, r2, r8, r9, \first
    TWO     r5, r2, r10, r11, \first
    TWO     r6, r3, r8, r9, 0
    TWO     r7, r3, r10, r11, 0
    ldmia.w r1!, {r4-r7}
    TWO     r4, r12, r8, r9, 0
    TWO     r5, r12, r10, r11, 0
    TWO     r6, lr, r8, r9, 0
    TWO     r7, lr, r10, r11, 0
.endm

/* x weights y quads k in r0-r4; the frame's part that all kernels have. */
.macro OPEN frame
    push    {r4-r11, lr}
    sub     sp, #\frame
    ldmia   r0, {r0-r5}
    add     r12, r2, r3, lsl #4
    strd    r0, r12, [sp, #F_X]
    str     r2, [sp, #F_Y]
    add     r12, r0, r4, lsl #1
    str     r12, [sp, #F_END]
.endm

/* Where the first of columns / 8 steps is, so that the last one ends a pass. */
.macro FIND_ENTRY steps, columns, at
    rsb     r2, \columns, #0
    ubfx    r2, r2, #3, #3
    movs    r3, #STEP_CODE_BYTES
    adr.w   r12, \steps
    mla     r2, r2, r3, r12
    orr     r2, r2, #1
    str     r2, [sp, #\at]
.endm

/* Four results from the sums s0-s3 and multipliers m0-m3 to y, in r12, and x again; flags: whether they were the last.
 * y1, y2: free, between r0 and lr. */
.macro RESULTS add, s0, s1, s2, s3, m0, m1, m2, m3, y1, y2
    .if \add
    ldmia.w r12, {r0, \y1, \y2, lr}
    smmlar  r0, \s0, \m0, r0
    smmlar  \y1, \s1, \m1, \y1
    smmlar  \y2, \s2, \m2, \y2
    smmlar  lr, \s3, \m3, lr
    stmia.w r12!, {r0, \y1, \y2, lr}
    .else
    smmulr  \m0, \s0, \m0
    smmulr  \m1, \s1, \m1
    smmulr  \m2, \s2, \m2
    smmulr  \m3, \s3, \m3
    stmia.w r12!, {\m0, \m1, \m2, \m3}
    .endif
    str     r12, [sp, #F_Y]
    ldrd    r0, r2, [sp, #F_X]
    cmp     r12, r2
.endm

.macro CLOSE add
    sub     r8, r8, r9
    sub     r10, r10, r11
    ldmia   r1!, {r4-r7}
    ldr     r12, [sp, #F_Y]
    RESULTS \add, r9, r8, r11, r10, r4, r5, r6, r7, r2, r3
.endm

/* Sums of the columns up to F_END; the frame says at which step the first pass begins. */
.macro COLUMNS steps
    mov     r8, #0
    mov     r9, #0
    mov     r10, #0
    mov     r11, #0
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
\steps:
    .rept STEPS
    STEP
    .endr
    ldr     r2, [sp, #F_END]
    cmp     r0, r2
    bne     \steps
.endm

.macro RETURN name, frame
    add     sp, #\frame
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* 64 columns, no loop over them. */
.macro GEMV_64 name, add
FUNCTION \name
    OPEN    FRAME
.Lquad\@:
    STEP    1
    .rept 7
    STEP
    .endr
    CLOSE   \add
    bne     .Lquad\@
    RETURN  \name, FRAME
.endm

/* Any number of columns. */
.macro GEMV name, add
FUNCTION \name
    OPEN    FRAME
    FIND_ENTRY .Lsteps\@, r4, F_ENTRY
.Lquad\@:
    COLUMNS .Lsteps\@
    CLOSE   \add
    bne     .Lquad\@
    RETURN  \name, FRAME
.endm

/* The same in parts of args.group columns, a multiple of 8, the first one shorter: behind each the odd rows' sums are
 * taken out of the halfwords, with their sign, so that only those of a part must fit into 24 bits. */
.macro GEMV_PARTS name, add
FUNCTION \name
    OPEN    PARTS_FRAME             /* k in r4, args.group in r5 */
    str     r12, [sp, #F_X_END]
    lsl     r3, r5, #1
    str     r3, [sp, #F_PART]
    sub     r2, r4, #1
    udiv    r2, r2, r5
    mls     r4, r2, r5, r4          /* columns of the first part */
    add     r2, r0, r4, lsl #1
    str     r2, [sp, #F_FIRST]
    FIND_ENTRY .Lsteps\@, r4, F_ENTRY
    FIND_ENTRY .Lsteps\@, r5, F_NEXT
.Lquad\@:
    ldr     r2, [sp, #F_FIRST]
    movs    r3, #0
    str     r2, [sp, #F_END]
    strd    r3, r3, [sp, #F_ODD]
    COLUMNS .Lsteps\@
    sub     r8, r8, r9
    sub     r10, r10, r11
    ldrd    r4, r5, [sp, #F_ODD]
    add     r4, r4, r8, asr #8
    add     r5, r5, r10, asr #8
    ldrd    r3, r12, [sp, #F_PART]  /* and the end of x */
    cmp     r0, r12
    beq     .Lrow\@
    strd    r4, r5, [sp, #F_ODD]
    mov     r8, r9
    mov     r10, r11
    add     r2, r2, r3
    str     r2, [sp, #F_END]
    ldr     pc, [sp, #F_NEXT]
.Lrow\@:
    ldmia.w r1!, {r2, r3, r6, r7}
    ldr     r12, [sp, #F_Y]
    lsls    r3, r3, #8              /* the odd rows' are made for sums taken 256 times */
    lsls    r7, r7, #8
    RESULTS \add, r9, r4, r11, r5, r2, r3, r6, r7, r8, r10
    bne     .Lquad\@
    RETURN  \name, PARTS_FRAME
.endm

    GEMV_64 te_lm_gemv_w8_64, 0
    GEMV_64 te_lm_gemv_add_w8_64, 1
    GEMV te_lm_gemv_w8, 0
    GEMV te_lm_gemv_add_w8, 1
    GEMV_PARTS te_lm_gemv_parts_w8, 0
    GEMV_PARTS te_lm_gemv_add_parts_w8, 1

/* --- 4 bits --- */

#define W4_STEPS 4 /* per pass: a group of 32, half a group of 64 */
#define W4_STEP_CODE_BYTES 124

#define F4_TOTALS 0 /* of the groups before */
#define F4_X 16
#define F4_Y_END 20
#define F4_Y 24
#define F4_GROUPS_END 28 /* of x in whole groups */
#define F4_X_END 32
#define F4_ENTRY 36 /* where the rest behind them enters the loop */
#define W4_FRAME 44

/* Two columns of four rows. */
.macro FOUR weights, x
    smlad   r8, \x, \weights, r8
    and     r12, \weights, #0x0f0f0f0f
    uxtb16  \weights, \weights
    smlad   r9, \x, r12, r9
    uxtb16  r12, r12
    smlad   r11, \x, \weights, r11
    smlad   r10, \x, r12, r10
.endm

.macro W4_STEP
    ldmia.w r1!, {r4-r7}
    ldrd    r2, r3, [r0], #8
    FOUR    r4, r2
    FOUR    r5, r3
    ldrd    r2, r3, [r0], #8
    FOUR    r6, r2
    FOUR    r7, r3
.endm

/* group: 32 or 64; at least one whole group of columns, and a rest in steps of 8. */
.macro GEMV_W4 name, group, add
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #W4_FRAME
    ldmia   r0, {r0-r4}             /* x weights y quads k */
    add     r12, r2, r3, lsl #4
    strd    r0, r12, [sp, #F4_X]
    str     r2, [sp, #F4_Y]
    and     r5, r4, #(\group - 1)   /* columns of the rest */
    sub     r4, r4, r5
    lsl     r2, r4, #1              /* their bytes, and 16 per group */
    .if \group == 32
    add     r2, r2, r4, lsr #1
    .else
    add     r2, r2, r4, lsr #2
    .endif
    add     lr, r0, r2
    str     lr, [sp, #F4_GROUPS_END]
    cmp     r5, #0
    mov     r2, lr
    it      ne
    addne   r2, r2, #16
    add     r2, r2, r5, lsl #1
    str     r2, [sp, #F4_X_END]
    rsb     r5, r5, #0
    ubfx    r5, r5, #3, #2
    movs    r3, #W4_STEP_CODE_BYTES
    adr.w   r2, .Lsteps\@
    mla     r2, r5, r3, r2
    orr     r2, r2, #1
    str     r2, [sp, #F4_ENTRY]
.Lquad\@:
    movs    r3, #0
    strd    r3, r3, [sp, #F4_TOTALS]
    strd    r3, r3, [sp, #(F4_TOTALS + 8)]
.Lgroup\@:
    ldmia.w r0!, {r8-r11}
    .if \group == 64
    add     lr, r0, #128
    .endif
    .p2align 2
.Lsteps\@:
    .rept W4_STEPS
    W4_STEP
    .endr
    .if \group == 64
    cmp     r0, lr
    blo     .Lsteps\@
    .endif
    sub     r9, r9, r10             /* 256 A2 */
    sub     r8, r8, r11
    sub     r8, r8, r9              /* 4096 A3 */
    sub     r11, r11, r10           /* 16 A1; r10: A0 */
    ldrd    r2, r3, [r1], #8        /* scales */
    ldmia.w sp, {r4-r7}
    smlawb  r4, r10, r2, r4
    smlawt  r5, r11, r2, r5
    smlawb  r6, r9, r3, r6
    smlawt  r7, r8, r3, r7
    stmia.w sp, {r4-r7}
    .if \group == 64
    ldr     lr, [sp, #F4_GROUPS_END]
    .endif
    cmp     r0, lr
    blo     .Lgroup\@
    ldr     r12, [sp, #F4_X_END]
    cmp     r0, r12
    bhs     .Lrow\@
    ldmia.w r0!, {r8-r11}
    .if \group == 64
    mov     lr, r12
    .endif
    ldr     pc, [sp, #F4_ENTRY]
.Lrow\@:
    ldmia.w r1!, {r8-r11}
    ldr     r12, [sp, #F4_Y]
    lsls    r4, r4, #12
    lsls    r5, r5, #8
    lsls    r6, r6, #4
    .if \add
    ldmia.w r12, {r0, r2, r3, lr}
    smmlar  r4, r4, r8, r0
    smmlar  r5, r5, r9, r2
    smmlar  r6, r6, r10, r3
    smmlar  r7, r7, r11, lr
    ldr     lr, [sp, #F4_GROUPS_END]
    .else
    smmulr  r4, r4, r8
    smmulr  r5, r5, r9
    smmulr  r6, r6, r10
    smmulr  r7, r7, r11
    .endif
    stmia.w r12!, {r4-r7}
    str     r12, [sp, #F4_Y]
    ldrd    r0, r2, [sp, #F4_X]
    cmp     r12, r2
    bne     .Lquad\@
    RETURN  \name, W4_FRAME
.endm

/* void te_lm_stream_w4(const int16_t *x, uint32_t k, uint32_t group, uint32_t *stream): 8 instructions per 8 columns.
 * r0 x, r1 its end, r2 bytes of a group, r3 stream, r4 the group's part of it, r9 the group's end, r10 sum, r11 ones. */
FUNCTION te_lm_stream_w4
    push    {r4-r11, lr}
    add     r1, r0, r1, lsl #1
    lsls    r2, r2, #1
    mov     r11, #0x00010001
.Lstream_group:
    add     r9, r0, r2
    cmp     r9, r1
    it      hi
    movhi   r9, r1
    mov     r10, #0
    mov     r4, r3
    adds    r3, r3, #16
.Lstream_columns:
    ldmia   r0!, {r5-r8}
    smlad   r10, r5, r11, r10
    smlad   r10, r6, r11, r10
    smlad   r10, r7, r11, r10
    smlad   r10, r8, r11, r10
    stmia.w r3!, {r5-r8}
    cmp     r0, r9
    bne     .Lstream_columns
    rsb     r7, r10, #0
    lsl     r7, r7, #3
    add     r8, r7, r7, lsl #4      /* 17 */
    add     r6, r7, r7, lsl #8      /* 257 */
    add     r5, r8, r7, lsl #8      /* 273 */
    stmia.w r4, {r5-r8}
    cmp     r0, r1
    bne     .Lstream_group
    pop     {r4-r11, pc}
    .size te_lm_stream_w4, . - te_lm_stream_w4

    GEMV_W4 te_lm_gemv_w4_32, 32, 0
    GEMV_W4 te_lm_gemv_add_w4_32, 32, 1
    GEMV_W4 te_lm_gemv_w4_64, 64, 0
    GEMV_W4 te_lm_gemv_add_w4_64, 64, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
