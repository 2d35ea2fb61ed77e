/* Inner kernels of te_depthwise_strips.h for Armv8.1-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_MVE) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* 16 words of four channels each, in q0-q3, to the four channels' strips: VLD4 sorts them. */
.macro SORT
    vstrw.32 q0, [r12]
    vstrw.32 q1, [r12, #16]
    vstrw.32 q2, [r12, #32]
    vstrw.32 q3, [r12, #48]
    vld40.8 {q0, q1, q2, q3}, [r12]
    vld41.8 {q0, q1, q2, q3}, [r12]
    vld42.8 {q0, q1, q2, q3}, [r12]
    vld43.8 {q0, q1, q2, q3}, [r12]
    vstrb.8 q0, [r1], #16
    vstrb.8 q1, [r5], #16
    vstrb.8 q2, [r6], #16
    vstrb.8 q3, [r7], #16
.endm

.macro STAGE_BEGIN per_vector
    push    {r4-r11, lr}
    vpush   {d8-d15}
    ldr     r4, [sp, #36 + 64]
    sub     sp, #64
    mov     r12, sp
    add     r5, r1, r2
    add     r6, r5, r2
    add     r7, r6, r2
    ldr     r8, [r4, #64]
    ldrd    r9, r11, [r4, #68]
    ldr     r2, [r4, #76]
    lsr     r10, r3, #\per_vector
    sub     r2, r2, r10, lsl #4
    ands    r3, #(1 << \per_vector) - 1
    it      ne
    subne   r2, #16
.endm

/* On to the next strip. */
.macro STAGE_END loop
    add     r0, r11
    add     r1, r2
    add     r5, r2
    add     r6, r2
    add     r7, r2
    subs    r9, #1
    bne     \loop
    add     sp, #64
    vpop    {d8-d15}
    pop     {r4-r11, pc}
.endm

/* r0 x, r1 strip of the first channel, r2 bytes to the next channel's, r3 columns, stack: te_depthwise_strip_rows. q4 offsets of
 * the rows, q5 what brings them to the next column; r8 zero points, r9 strips, r10 vectors of whole columns, r11 r2 bytes
 * to the next strip's rows and strip. */
FUNCTION te_depthwise_stage_4
    STAGE_BEGIN 2
    vldrw.32 q5, [r4, #32]
.Lstrip_4:
    vldrw.32 q4, [r4]
    wls     lr, r10, .Lrest_4
.Lfour_4:
    vldrw.u32 q0, [r0, q4]
    vadd.i32 q4, q4, q5
    vldrw.u32 q1, [r0, q4]
    vadd.i32 q4, q4, q5
    vldrw.u32 q2, [r0, q4]
    vadd.i32 q4, q4, q5
    vldrw.u32 q3, [r0, q4]
    vadd.i32 q4, q4, q5
    SORT
    le      lr, .Lfour_4
.Lrest_4:
    cmp     r3, #2
    bhs     .Lmore_4
    cbz     r3, .Lend_4
    vldrw.u32 q0, [r0, q4]
    vdup.32 q1, r8
    b       .Ltwo_4
.Lmore_4:
    vldrw.u32 q0, [r0, q4]
    vadd.i32 q4, q4, q5
    vldrw.u32 q1, [r0, q4]
    beq     .Ltwo_4
    vadd.i32 q4, q4, q5
    vldrw.u32 q2, [r0, q4]
    b       .Lthree_4
.Ltwo_4:
    vdup.32 q2, r8
.Lthree_4:
    vdup.32 q3, r8
    SORT
.Lend_4:
    STAGE_END .Lstrip_4

/* The same of eight rows: q4 q5 offsets, q6 q7 steps. */
FUNCTION te_depthwise_stage_8
    STAGE_BEGIN 1
    vldrw.32 q6, [r4, #32]
    vldrw.32 q7, [r4, #48]
.Lstrip_8:
    vldrw.32 q4, [r4]
    vldrw.32 q5, [r4, #16]
    wls     lr, r10, .Lrest_8
.Ltwo_8:
    vldrw.u32 q0, [r0, q4]
    vadd.i32 q4, q4, q6
    vldrw.u32 q1, [r0, q5]
    vadd.i32 q5, q5, q7
    vldrw.u32 q2, [r0, q4]
    vadd.i32 q4, q4, q6
    vldrw.u32 q3, [r0, q5]
    vadd.i32 q5, q5, q7
    SORT
    le      lr, .Ltwo_8
.Lrest_8:
    cmp     r3, #0
    beq     .Lend_8
    vldrw.u32 q0, [r0, q4]
    vldrw.u32 q1, [r0, q5]
    vdup.32 q2, r8
    vdup.32 q3, r8
    SORT
.Lend_8:
    STAGE_END .Lstrip_8

/* 3 x 3: two rows x two columns, as sums r0 (row 0, column 0), r2 (row 1), r4 (row 0, column 1), r6. */
.macro PRODUCTS_3
    vmladav.s8 r0, q0, q4
    vmladav.s8 r4, q0, q6
    vmladav.s8 r2, q0, q5
    vmladav.s8 r6, q0, q7
.endm

.macro SUMS q
    vmov    \q[2], \q[0], r0, r4
    vmov    \q[3], \q[1], r2, r6
.endm

.macro ROUND_FAST q
    vadd.i32 \q, \q, r5
    vqrdmulh.s32 \q, \q, r7
.endm

.macro ROUND_EXACT q
    vadd.i32 \q, \q, r5
    vqrdmulh.s32 \q, \q, r7
    vqdmlah.s32 \q, \q, r11
    vrshl.s32 \q, r10
.endm

.macro ROUND_WIDE q
    vadd.i32 \q, \q, r5
    vshl.s32 \q, r7
    vqrdmulh.s32 \q, \q, r10
    vqdmlah.s32 \q, \q, r11
    vrshl.s32 \q, r12
.endm

.macro STORE
    vqadd.s16 q1, q1, r9
    vqmovnb.s16 q1, q1
    vpst
    vstrbt.16 q1, [r3, q3]
.endm

.macro FOUR_COLUMNS round
    vldrb.8 q0, [r1], #8
    PRODUCTS_3
    vldrb.8 q0, [r1], #8
    SUMS q1
    PRODUCTS_3
    \round  q1
    SUMS q2
    \round  q2
    vqmovnb.s32 q1, q1
    vqmovnt.s32 q1, q2
    STORE
.endm

.macro TWO_COLUMNS round
    vldrb.8 q0, [r1], #8
    PRODUCTS_3
    SUMS q1
    \round  q1
    vqmovnb.s32 q1, q1
    STORE
.endm

/* Stack frame: weights, constants | strip, outputs of the channel | bytes to the next strip, outputs | fours of columns,
 * columns that the rest takes | predicates of outputs: all, the rest's | rows, bytes from channel to channel | channels and
 * rows left | predicates as long as no row is the last. Rounding fast, r10 r11 keep the predicates; unless wide, r12 the rows
 * left. */
.macro STRIP_3 name, round
FUNCTION \name
    push    {r4-r11, lr}
    vpush   {d8-d15}
    sub     sp, #64
    ldm     r0, {r1-r8}              /* strip, apart, weights, constants, y, line, rows, columns */
    ldr     r12, [r0, #44]
    vldrh.16 q3, [r12]
    strd    r3, r4, [sp]
    strd    r1, r5, [sp, #8]
    strd    r7, r2, [sp, #40]
    ldrd    r1, r9, [r0, #32]        /* pixel, zero */
    ldr     r10, [r0, #40]           /* bytes to the next strip */
    lsl     r6, r6, #1
    and     r2, r8, #3
    lsr     r8, r8, #2
    sub     r10, r10, r8, lsl #4
    lsl     r1, r1, #2
    mls     r6, r1, r8, r6
    mov     r3, #0
    mov     r4, #0
    cbz     r2, .Lmasks\@
    movw    r4, #0x0033
    mov     r3, #2
    cmp     r2, #2
    blo     .Lmasks\@
    movw    r4, #0x3333
    beq     .Lmasks\@
    movw    r4, #0x33ff
    mov     r3, #4
.Lmasks\@:
    sub     r10, r10, r3, lsl #2
    strd    r10, r6, [sp, #16]
    strd    r8, r3, [sp, #24]
    mov     r8, r1
    movw    r3, #0xffff
    strd    r3, r4, [sp, #32]
    mov     r2, #4
    str     r2, [sp, #48]
.Lchannel\@:
    ldrd    r1, r2, [sp]
    vldrb.8 q4, [r1, #5]
    vldrb.8 q5, [r1, #4]
    vldrb.8 q6, [r1, #1]
    vldrb.8 q7, [r1]
    add     r1, #16
    .ifc \round, ROUND_FAST
    ldrd    r5, r7, [r2], #8
    strd    r1, r2, [sp]
    ldrd    r1, r3, [sp, #8]
    ldrd    r10, r11, [sp, #32]
    ldr     r12, [sp, #40]
.Lrow\@:
    cmp     r12, #1
    beq     .Llast\@
.Lrows\@:
    vmsr    p0, r10
    .endif
    .ifc \round, ROUND_EXACT
    ldm     r2!, {r5, r7, r10}
    mov     r11, #1
    strd    r1, r2, [sp]
    ldrd    r1, r3, [sp, #8]
    ldrd    r0, r2, [sp, #32]
    strd    r0, r2, [sp, #56]
    ldr     r12, [sp, #40]
.Lrow\@:
    ldr     r2, [sp, #56]
    cmp     r12, #1
    beq     .Llast\@
.Lrows\@:
    vmsr    p0, r2
    .endif
    .ifc \round, ROUND_WIDE
    ldm     r2!, {r5, r7, r10, r11, r12}
    strd    r1, r2, [sp]
    ldrd    r1, r3, [sp, #8]
    ldr     r0, [sp, #40]
.Lrow\@:
    str     r0, [sp, #52]
    ldr     r2, [sp, #32]
    cmp     r0, #1
    bne     .Lrows\@
    movw    r0, #0x0f0f
    and     r2, r0
.Lrows\@:
    vmsr    p0, r2
    .endif
    ldrd    r0, r2, [sp, #24]
    wls     lr, r0, .Lrest\@
.Lfour\@:
    FOUR_COLUMNS \round
    add     r3, r8
    le      lr, .Lfour\@
    ldr     r2, [sp, #28]
.Lrest\@:
    cmp     r2, #2
    blo     .Lnext\@
    .ifc \round, ROUND_FAST
    vmsr    p0, r11
    .endif
    .ifc \round, ROUND_EXACT
    ldr     r4, [sp, #60]
    vmsr    p0, r4
    .endif
    .ifc \round, ROUND_WIDE
    ldr     r4, [sp, #36]
    ldr     r0, [sp, #52]
    cmp     r0, #1
    itt     eq
    movweq  r0, #0x0f0f
    andeq   r4, r0
    vmsr    p0, r4
    cmp     r2, #2
    .endif
    beq     .Ltwo\@
    FOUR_COLUMNS \round
    b       .Lnext\@
.Ltwo\@:
    TWO_COLUMNS \round
.Lnext\@:
    ldrd    r2, r4, [sp, #16]
    add     r1, r2
    add     r3, r4
    .ifc \round, ROUND_WIDE
    ldr     r0, [sp, #52]
    subs    r0, #2
    .else
    subs    r12, #2
    .endif
    bhi     .Lrow\@
    ldrd    r1, r3, [sp, #8]
    ldrd    r2, r0, [sp, #44]
    add     r1, r2
    add     r3, #1
    strd    r1, r3, [sp, #8]
    subs    r0, #1
    str     r0, [sp, #48]
    bne     .Lchannel\@
    add     sp, #64
    vpop    {d8-d15}
    pop     {r4-r11, pc}
    .ifc \round, ROUND_FAST
.Llast\@: /* a single row: without the outputs below it */
    movw    r0, #0x0f0f
    and     r10, r0
    and     r11, r0
    b       .Lrows\@
    .endif
    .ifc \round, ROUND_EXACT
.Llast\@:
    ldr     r4, [sp, #60]
    movw    r0, #0x0f0f
    and     r2, r0
    and     r4, r0
    strd    r2, r4, [sp, #56]
    b       .Lrows\@
    .endif
.endm

STRIP_3 te_depthwise_strip_3_fast, ROUND_FAST
STRIP_3 te_depthwise_strip_3_exact, ROUND_EXACT
STRIP_3 te_depthwise_strip_3_wide, ROUND_WIDE

/* The others: up to four outputs of a row, two columns of a strip of eight rows apart. Vector \i of the strip meets weights
 * \i - \output of the output. */
.macro PRODUCT sum, output, i, x
    .if \i == \output
    vmladav.s8 \sum, \x, q4
    .elseif \i == \output + 1
    vmladava.s8 \sum, \x, q5
    .elseif \i == \output + 2 && VECTORS > 2
    vmladava.s8 \sum, \x, q6
    .elseif \i == \output + 3 && VECTORS > 3
    vmladava.s8 \sum, \x, q7
    .endif
.endm

.macro VECTOR i, x, outputs
    .if \i < VECTORS + \outputs - 1
    .if \i == 0
    vldrb.8 \x, [r1], #64
    .else
    vldrb.8 \x, [r1, #16 * \i - 64]
    .endif
    PRODUCT r0, 0, \i, \x
    PRODUCT r2, 1, \i, \x
    .if \outputs == 4
    PRODUCT r4, 2, \i, \x
    PRODUCT r6, 3, \i, \x
    .endif
    .endif
.endm

/* Rounded, in the low byte of each word of q2. */
.macro OUTPUTS outputs, round
    VECTOR 0, q0, \outputs
    VECTOR 1, q1, \outputs
    VECTOR 2, q0, \outputs
    VECTOR 3, q1, \outputs
    VECTOR 4, q0, \outputs
    VECTOR 5, q1, \outputs
    VECTOR 6, q0, \outputs
    SUMS    q2
    \round  q2
    vqmovnb.s32 q2, q2
    vqadd.s16 q2, q2, r9
    vqmovnb.s16 q2, q2
.endm

/* Stack frame: weights, constants | strip, outputs of the channel | those of the row | rows left, of the strip | fours and
 * rest of outputs in even columns (at stride 2, of all) | the same in odd columns | bytes from channel to channel, of a
 * pixel | bytes to the next strip, to the next outputs | rows, channels left | rest of these columns, which columns. */
.macro STRIP name, kernel, stride, round
    .set VECTORS, (\kernel + 1) / 2
FUNCTION \name
    push    {r4-r11, lr}
    vpush   {d8-d15}
    sub     sp, #80
    ldm     r0, {r1-r8}              /* strip, apart, weights, constants, y, line, rows, columns */
    strd    r3, r4, [sp]
    strd    r1, r5, [sp, #8]
    ldrd    r10, r9, [r0, #32]       /* pixel, zero */
    ldr     r11, [r0, #40]           /* bytes to the next strip */
    sub     r11, #((8 - \kernel) / \stride + 1) * \stride
    strd    r2, r10, [sp, #48]
    strd    r11, r6, [sp, #56]
    mov     r2, #4
    strd    r7, r2, [sp, #64]
    .if \stride == 1
    lsr     r3, r8, #1
    and     r2, r3, #3
    lsr     r3, r3, #2
    strd    r3, r2, [sp, #40]
    add     r8, #1
    lsr     r8, r8, #1
    lsl     r10, r10, #1
    mov     r2, #0
    str     r2, [sp, #76]
    .endif
    and     r2, r8, #3
    lsr     r3, r8, #2
    strd    r3, r2, [sp, #32]
    mov     r2, #0
    vidup.u32 q3, r2, #1
    vmul.i32 q3, q3, r10
    lsl     r8, r10, #2
.Lchannel\@:
    ldrd    r1, r2, [sp]
    vldrb.8 q4, [r1, #8]
    vldrb.8 q5, [r1, #24]
    .if VECTORS > 2
    vldrb.8 q6, [r1, #40]
    .endif
    .if VECTORS > 3
    vldrb.8 q7, [r1, #56]
    .endif
    add     r1, #8 * (\kernel + 1)
    .ifc \round, ROUND_FAST
    ldrd    r5, r7, [r2], #8
    .else
    ldm     r2!, {r5, r7, r10, r11, r12}
    .endif
    strd    r1, r2, [sp]
    ldrd    r1, r3, [sp, #8]
    ldr     r0, [sp, #64]
    mov     r2, #(8 - \kernel) / \stride + 1
    strd    r0, r2, [sp, #24]
.Lrow\@:
    strd    r1, r3, [sp, #16]
    ldrd    r0, r2, [sp, #32]
.Lcolumns\@:
    str     r2, [sp, #72]
    wls     lr, r0, .Lrest\@
.Lfour\@:
    OUTPUTS 4, \round
    vstrb.32 q2, [r3, q3]
    add     r3, r8
    le      lr, .Lfour\@
    ldr     r2, [sp, #72]
.Lrest\@:
    cmp     r2, #2
    vctp.32 r2
    beq     .Ltwo\@
    bhi     .Lthree\@
    cmp     r2, #0
    beq     .Lend\@
.Ltwo\@:
    OUTPUTS 2, \round
    b       .Lstore\@
.Lthree\@:
    OUTPUTS 4, \round
.Lstore\@:
    vpst
    vstrbt.32 q2, [r3, q3]
.Lend\@:
    .if \stride == 1
    ldr     r0, [sp, #76]
    ldrd    r1, r3, [sp, #16]
    eors    r0, #1
    str     r0, [sp, #76]
    beq     .Lrowend\@
    ldr     r2, [sp, #52]
    adds    r1, #8
    add     r3, r2
    ldrd    r0, r2, [sp, #40]
    b       .Lcolumns\@
.Lrowend\@:
    .else
    ldrd    r1, r3, [sp, #16]
    .endif
    ldrd    r2, r4, [sp, #56]
    ldrd    r0, r6, [sp, #24]
    adds    r1, #\stride
    add     r3, r4
    subs    r6, #1
    itt     eq
    addeq   r1, r2
    moveq   r6, #(8 - \kernel) / \stride + 1
    subs    r0, #1
    strd    r0, r6, [sp, #24]
    bne     .Lrow\@
    ldrd    r1, r3, [sp, #8]
    ldr     r2, [sp, #48]
    ldr     r0, [sp, #68]
    add     r1, r2
    adds    r3, #1
    strd    r1, r3, [sp, #8]
    subs    r0, #1
    str     r0, [sp, #68]
    bne     .Lchannel\@
    add     sp, #80
    vpop    {d8-d15}
    pop     {r4-r11, pc}
.endm

STRIP te_depthwise_strip_5_fast, 5, 1, ROUND_FAST
STRIP te_depthwise_strip_5_wide, 5, 1, ROUND_WIDE
STRIP te_depthwise_strip_7_fast, 7, 1, ROUND_FAST
STRIP te_depthwise_strip_7_wide, 7, 1, ROUND_WIDE
STRIP te_depthwise_strip_3_by_2_fast, 3, 2, ROUND_FAST
STRIP te_depthwise_strip_3_by_2_wide, 3, 2, ROUND_WIDE
STRIP te_depthwise_strip_5_by_2_fast, 5, 2, ROUND_FAST
STRIP te_depthwise_strip_5_by_2_wide, 5, 2, ROUND_WIDE
STRIP te_depthwise_strip_7_by_2_fast, 7, 2, ROUND_FAST
STRIP te_depthwise_strip_7_by_2_wide, 7, 2, ROUND_WIDE

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
