/* Inner kernels of te_conv_vectors.h for Armv8.1-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_MVE) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* Rounding of the sums \a and \b to the low bytes of their words: \t and \u are free, constants at \from, \zero of the output,
 * \one 1. */
.macro ROUND_FAST a, b, t, u, from, zero, one
    vldrw.32 \t, [\from], #16
    FAST    \a, \b, \t, \zero
.endm

.macro FAST a, b, factor, zero
    vqrdmlash.s32 \a, \factor, \zero
    vqrdmlash.s32 \b, \factor, \zero
    vqmovnb.s32 \a, \a
    vqmovnt.s32 \a, \b
    APART   \a, \b
.endm

/* Halfwords of \a to bytes: those of the first pixel in \a, of the second in \b. */
.macro APART a, b
    vqmovnb.s16 \a, \a
    vshr.u32 \b, \a, #16
.endm

.macro SHIFT_DOWN a, b, u, zero
    vrshl.s32 \a, \a, \u
    vrshl.s32 \b, \b, \u
    vqmovnb.s32 \a, \a
    vqmovnt.s32 \a, \b
    vqadd.s16 \a, \a, \zero
    APART   \a, \b
.endm

.macro PRODUCT_EXACT a, b, factor, one
    vqrdmulh.s32 \a, \a, \factor
    vqrdmulh.s32 \b, \b, \factor
    vqdmlah.s32 \a, \a, \one
    vqdmlah.s32 \b, \b, \one
.endm

.macro ROUND_EXACT a, b, t, u, from, zero, one
    vldrw.32 \t, [\from], #16
    vldrw.32 \u, [\from], #16
    PRODUCT_EXACT \a, \b, \t, \one
    SHIFT_DOWN \a, \b, \u, \zero
.endm

.macro ROUND_WIDE a, b, t, u, from, zero, one
    vldrw.32 \t, [\from], #16
    vshl.s32 \a, \a, \t
    vshl.s32 \b, \b, \t
    vldrw.32 \t, [\from], #16
    vqrdmulh.s32 \a, \a, \t
    vqrdmulh.s32 \b, \b, \t
    vldrw.32 \u, [\from], #16
    vshr.s32 \t, \a, #31
    vand    \t, \t, \u
    vadd.i32 \a, \a, \t
    vshr.s32 \t, \b, #31
    vand    \t, \t, \u
    vadd.i32 \b, \b, \t
    vldrw.32 \u, [\from], #16
    SHIFT_DOWN \a, \b, \u, \zero
.endm

/* 16 values of both pixels: loads of weights and of a pixel lie between the products. */
.macro PRODUCTS op, first, second
    vldrb.8 q0, \first
    vldrb.8 q2, [r5], #64
    vldrb.8 q1, \second
    \op\().s8 r0, q0, q2
    vldrb.8 q3, [r5, #-48]
    \op\().s8 r8, q1, q2
    \op\().s8 r2, q0, q3
    vldrb.8 q2, [r5, #-32]
    \op\().s8 r10, q1, q3
    \op\().s8 r4, q0, q2
    vldrb.8 q3, [r5, #-16]
    \op\().s8 r12, q1, q2
    \op\().s8 r6, q0, q3
    \op\().s8 lr, q1, q3
.endm

.set CHAIN, 15 /* vectors of a pixel in one piece */
.set PRODUCTS_BYTES, 56

/* Stack frame: zero, 1, end of the first pixel's outputs | bytes to the next outputs, to the next pixels, weights, pairs |
 * bytes of a pixel's outputs, bytes from the 8th vector to the last, r1 while vectors beyond the chain are multiplied. */
.set FRAME, 40
.macro PAIRS name, round
FUNCTION \name
    push    {r4-r11, lr}
    ldm     r0, {r1-r8}
    ldrd    r10, r12, [r0, #32]
    sub     sp, #FRAME
    lsl     r10, r10, #2             /* bytes of all quads */
    add     lr, r4, r10
    mov     r9, #1
    strd    r12, r9, [sp]
    str     lr, [sp, #8]
    rsb     r12, r10, r5, lsl #1
    strd    r12, r3, [sp, #12]
    strd    r7, r6, [sp, #20]
    lsl     r12, r8, #4
    sub     r12, #16 + 112
    strd    r10, r12, [sp, #28]
    add     r9, r1, #112
    add     r11, r9, r2
    mov     r1, r4
    add     r3, r4, r5
    mov     r5, r7
    adr.w   r7, .Lbeyond\@
    cmp     r8, #CHAIN
    bhi     .Lentry\@
    adr.w   r7, .Lsums\@
    sub     r8, #1
    movs    r0, #PRODUCTS_BYTES
    mls     r7, r8, r0, r7
.Lentry\@:
    orr     r7, #1
.Lquad\@:
    PRODUCTS vmladav, "[r9, #-112]", "[r11, #-112]"
    bx      r7
    .p2align 2
.Lbeyond\@:
    str     r1, [sp, #36]
    ldr     r1, [sp, #32]
    add     r9, r1
    add     r11, r1
    lsrs    r1, #4
    subs    r1, #CHAIN - 8
.Lvector\@:
    PRODUCTS vmladava, "[r9], #-16", "[r11], #-16"
    subs    r1, #1
    bne     .Lvector\@
    sub     r9, #112
    sub     r11, #112
    ldr     r1, [sp, #36]
    .set    offset, 16 * (CHAIN - 8)
    .rept   CHAIN - 1
    PRODUCTS vmladava, "[r9, #offset]", "[r11, #offset]"
    .set    offset, offset - 16
    .endr
.Lsums\@:
    vldrw.32 q2, [r5], #16
    vmov    q0[2], q0[0], r0, r4
    vmov    q0[3], q0[1], r2, r6
    ldm     sp, {r0, r2, r4}
    vmov    q1[2], q1[0], r8, r12
    vadd.i32 q0, q0, q2
    vmov    q1[3], q1[1], r10, lr
    vadd.i32 q1, q1, q2
    \round  q0, q1, q2, q3, r5, r0, r2
    vstrb.32 q0, [r1], #4
    vstrb.32 q1, [r3], #4
    cmp     r1, r4
    bne     .Lquad\@
    ldrd    r2, r4, [sp, #12]
    ldrd    r5, r6, [sp, #20]
    ldr     r0, [sp, #28]
    add     r1, r2
    add     r3, r2
    add     r9, r4
    add     r11, r4
    add     r0, r1
    str     r0, [sp, #8]
    subs    r6, #1
    str     r6, [sp, #24]
    bne     .Lquad\@
    add     sp, #FRAME
    pop     {r4-r11, pc}
.endm

PAIRS te_conv_pairs_fast, ROUND_FAST
PAIRS te_conv_pairs_exact, ROUND_EXACT
PAIRS te_conv_pairs_wide, ROUND_WIDE

/* The same for pixels of one vector each, one after the other. r1 x, r3 y, r5 constants, r7 from output to output,
 * r9 zero, r11 constants behind the weights; stack: x, y, end of the first pixel's outputs, pairs. */
.macro VECTOR name, round
FUNCTION \name
    push    {r4-r11, lr}
    vpush   {d8-d15}
    ldr     r1, [r0]
    ldrd    r4, r7, [r0, #12]
    ldrd    r6, r5, [r0, #20]
    ldrd    r8, r9, [r0, #32]
    add     r8, r4, r8, lsl #2
    sub     sp, #16
    strd    r1, r4, [sp]
    strd    r8, r6, [sp, #8]
.Lchannels\@:
    ldrd    r1, r3, [sp]
    ldr     lr, [sp, #12]
    vldrb.8 q0, [r5], #64
    vldrb.8 q1, [r5, #-48]
    vldrb.8 q2, [r5, #-32]
    vldrb.8 q3, [r5, #-16]
    .ifc \round, ROUND_FAST
    vldrw.32 q6, [r5], #16
    vldrw.32 q7, [r5], #16
    .else
    mov     r11, r5
    mov     r5, #1
    vldrw.32 q7, [r11, #16]
    .endif
    dls     lr, lr
.Lpair\@:
    vldrb.8 q4, [r1], #16
    vmladav.s8 r0, q4, q0
    vldrb.8 q5, [r1], #16
    vmladav.s8 r2, q4, q1
    vmladav.s8 r4, q4, q2
    vmladav.s8 r6, q4, q3
    vmladav.s8 r8, q5, q0
    vmov    q4[2], q4[0], r0, r4
    vmladav.s8 r10, q5, q1
    vmladav.s8 r12, q5, q2
    vmov    q4[3], q4[1], r2, r6
    vmladav.s8 r0, q5, q3
    vmov    q5[2], q5[0], r8, r12
    vmov    q5[3], q5[1], r10, r0
    .ifc \round, ROUND_FAST
    vadd.i32 q4, q4, q6
    vadd.i32 q5, q5, q6
    FAST    q4, q5, q7, r9
    .else
    vldrw.32 q6, [r11]
    vadd.i32 q4, q4, q6
    vadd.i32 q5, q5, q6
    .ifc \round, ROUND_EXACT
    vldrw.32 q6, [r11, #32]
    PRODUCT_EXACT q4, q5, q7, r5
    SHIFT_DOWN q4, q5, q6, r9
    .else
    add     r5, r11, #16
    \round  q4, q5, q6, q7, r5, r9, r0
    .endif
    .endif
    vstrb.32 q4, [r3]
    add     r3, r7
    vstrb.32 q5, [r3]
    add     r3, r7
    le      lr, .Lpair\@
    .ifc \round, ROUND_EXACT
    add     r5, r11, #48
    .endif
    ldrd    r2, r4, [sp, #4]
    adds    r2, #4
    str     r2, [sp, #4]
    cmp     r2, r4
    bne     .Lchannels\@
    add     sp, #16
    vpop    {d8-d15}
    pop     {r4-r11, pc}
.endm

VECTOR te_conv_vector_fast, ROUND_FAST
VECTOR te_conv_vector_exact, ROUND_EXACT
VECTOR te_conv_vector_wide, ROUND_WIDE

/* r0 to, r1 from copy to copy, r2 x, r3 from piece to piece, stack: pieces, bytes of each. */
FUNCTION te_conv_gather_vectors
    push    {r4-r7, lr}
    ldrd    r4, r5, [sp, #20]
.Lvectors:
    mov     r6, r0
    mov     r7, r2
    vctp.8  r5
    dls     lr, r4
.Lpieces:
    vpstt
    vldrbt.8 q0, [r7]
    vstrbt.8 q0, [r6]
    add     r7, r3
    add     r6, r1
    le      lr, .Lpieces
    adds    r0, #16
    adds    r2, #16
    subs    r5, #16
    bhi     .Lvectors
    pop     {r4-r7, pc}

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
