/* Inner kernels of te_conv_vectors.h for Armv8.1-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_MVE) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

.macro ROUND_FAST
    vldrw.32 q2, [r5], #16
    vqrdmlash.s32 q0, q2, r0
    vqrdmlash.s32 q1, q2, r0
.endm

.macro SHIFT_DOWN
    vrshl.s32 q0, q0, q3
    vrshl.s32 q1, q1, q3
    vadd.i32 q0, q0, r0
    vadd.i32 q1, q1, r0
.endm

.macro ROUND_EXACT
    vldrw.32 q2, [r5], #16
    vldrw.32 q3, [r5], #16
    vqrdmulh.s32 q0, q0, q2
    movs    r6, #1
    vqrdmulh.s32 q1, q1, q2
    vqdmlah.s32 q0, q0, r6
    vqdmlah.s32 q1, q1, r6
    SHIFT_DOWN
.endm

.macro ROUND_WIDE
    vldrw.32 q2, [r5], #16
    vshl.s32 q0, q0, q2
    vshl.s32 q1, q1, q2
    vldrw.32 q2, [r5], #16
    vqrdmulh.s32 q0, q0, q2
    vqrdmulh.s32 q1, q1, q2
    vldrw.32 q3, [r5], #16
    vshr.s32 q2, q0, #31
    vand    q2, q2, q3
    vadd.i32 q0, q0, q2
    vshr.s32 q2, q1, #31
    vand    q2, q2, q3
    vadd.i32 q1, q1, q2
    vldrw.32 q3, [r5], #16
    SHIFT_DOWN
.endm

/* r0 te_conv_vectors_args, r1 r2 pixels, r3 and on the stack outputs. Stack frame, as one LDM reads it: zero, bytes of a
 * pixel, end of the first pixel's outputs, vectors of a pixel. */
.macro PAIR name, round
FUNCTION \name
    push    {r4-r11, lr}
    ldm     r0, {r5, r7, r8, r10}
    mov     r9, r1
    mov     r11, r2
    mov     r1, r3
    ldr     r3, [sp, #36]
    mov     r0, r10
    lsl     r2, r7, #4
    add     r4, r1, r8, lsl #2
    sub     sp, #16
    stm     sp, {r0, r2, r4, r7}
.Lquad\@:
    ldm     r5!, {r0, r2, r4, r6}
    mov     r8, r0
    mov     r10, r2
    mov     r12, r4
    mov     lr, r6
.Lvector\@:
    vldrb.8 q0, [r9], #16
    vldrb.8 q2, [r5], #64
    vldrb.8 q1, [r11], #16
    vmladava.s8 r0, q0, q2
    vldrb.8 q3, [r5, #-48]
    vmladava.s8 r8, q1, q2
    vmladava.s8 r2, q0, q3
    vldrb.8 q2, [r5, #-32]
    vmladava.s8 r10, q1, q3
    vmladava.s8 r4, q0, q2
    vldrb.8 q3, [r5, #-16]
    vmladava.s8 r12, q1, q2
    subs    r7, #1
    vmladava.s8 r6, q0, q3
    vmladava.s8 lr, q1, q3
    bne     .Lvector\@
    vmov    q0[2], q0[0], r0, r4
    vmov    q0[3], q0[1], r2, r6
    vmov    q1[2], q1[0], r8, r12
    vmov    q1[3], q1[1], r10, lr
    ldm     sp, {r0, r2, r4, r7}
    sub     r9, r9, r2
    sub     r11, r11, r2
    \round
    vqmovnb.s32 q0, q0
    vqmovnb.s32 q1, q1
    vqmovnb.s16 q0, q0
    vqmovnb.s16 q1, q1
    vstrb.32 q0, [r1], #4
    vstrb.32 q1, [r3], #4
    cmp     r1, r4
    bne     .Lquad\@
    add     sp, #16
    pop     {r4-r11, pc}
.endm

PAIR te_conv_pair_fast, ROUND_FAST
PAIR te_conv_pair_exact, ROUND_EXACT
PAIR te_conv_pair_wide, ROUND_WIDE

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
