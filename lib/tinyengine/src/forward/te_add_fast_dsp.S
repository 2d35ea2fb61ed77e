/* Inner kernels of te_add_fast.h for Armv7E-M. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

    .syntax unified
    .thumb

/* ka ca ma ea in r4-r7, kb c m e in r8-r11. */
.macro SCALED
    ldrsb   r12, [r0], #1
    add     r12, r4, r12, lsl #21
    add     lr, r5, r12, asr #31
    smmlar  r12, r12, r6, lr
    asr     r12, r12, r7
    ldrsb   lr, [r1], #1
    add     lr, r8, lr, lsl #20
    add     r12, lr, r12, lsl #1
.endm

.macro EQUAL
    ldrsb   r12, [r0], #1
    ldrsb   lr, [r1], #1
    add     r12, r12, lr
    add     r12, r8, r12, lsl #20
.endm

.macro ELEMENT sum
    \sum
    add     lr, r9, r12, asr #31
    smmlar  r12, r12, r10, lr
    asr     r12, r12, r11
    ssat    r12, #8, r12
    strb    r12, [r2], #1
.endm

/* void name(const te_add_fast_constants *k, const int8_t *a, const int8_t *b, int8_t *y, uint32_t count) */
.macro ADD_KERNEL name, sum
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    ldmia   r0, {r4-r11}
    mov     r0, r1
    mov     r1, r2
    mov     r2, r3
    ldr     r3, [sp, #36]
    and     r12, r3, #3
    add     r3, r0
    cmp     r12, #0
    beq     2f
    add     r12, r0                 /* first the count modulo 4, kept where no register is needed */
    push    {r12}
1:  ELEMENT \sum
    ldr     r12, [sp]
    cmp     r0, r12
    bne     1b
    add     sp, #4
2:  cmp     r0, r3
    beq     4f
3:  ELEMENT \sum
    ELEMENT \sum
    ELEMENT \sum
    ELEMENT \sum
    cmp     r0, r3
    bne     3b
4:  pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    ADD_KERNEL te_add_scaled, SCALED
    ADD_KERNEL te_add_equal, EQUAL

#endif
