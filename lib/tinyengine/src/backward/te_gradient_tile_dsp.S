/* te_gradient_tile for Armv7E-M: layouts, registers and budget are described in te_gradient_tile.h. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

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
