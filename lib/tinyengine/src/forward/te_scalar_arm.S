/* The hot loop of te_scalar.c, for Armv7-M and for Armv6-M. */
#if defined(__ARM_ARCH_ISA_THUMB) && !defined(TE_PORTABLE)

    .syntax unified
    .thumb
    .section .text.te_dot_four, "ax", %progbits
    .global te_dot_four
    .type   te_dot_four, %function
    .thumb_func
/* void te_dot_four(const int8_t *x, const int8_t *w, uint32_t count, int32_t sums[4]) */
te_dot_four:

#if __ARM_ARCH_ISA_THUMB >= 2

/* r0 x, r1 and r4-r6 filters, r7 end of x, r2 input, lr weight, r8-r11 sums. */
.macro TIMES_X filter, sum
    ldrsb   lr, [\filter], #1
    mla     \sum, r2, lr, \sum
.endm

.macro INPUT
    ldrsb   r2, [r0], #1
    TIMES_X r1, r8
    TIMES_X r4, r9
    TIMES_X r5, r10
    TIMES_X r6, r11
.endm

    push    {r3-r11, lr}
    ldmia   r3, {r8-r11}
    adds    r4, r1, r2
    adds    r5, r4, r2
    adds    r6, r5, r2
    adds    r7, r0, r2
    ands    r12, r2, #3
    beq     2f
    add     r12, r0                 /* first the count modulo 4 */
1:  INPUT
    cmp     r0, r12
    bne     1b
2:  cmp     r0, r7
    beq     4f
3:  INPUT
    INPUT
    INPUT
    INPUT
    cmp     r0, r7
    bne     3b
4:  pop     {r3}
    stmia   r3, {r8-r11}
    pop     {r4-r11, pc}

#else

/* r0 end of x, r1-r4 ends of the filters, r5 index below 0, r6 input, r7 product, r8-r11 sums. */
.macro TIMES_X filter, sum
    ldrsb   r7, [\filter, r5]
    muls    r7, r6, r7
    add     \sum, r7
.endm

.macro INPUT
    ldrsb   r6, [r0, r5]
    TIMES_X r1, r8
    TIMES_X r2, r9
    TIMES_X r3, r10
    TIMES_X r4, r11
    adds    r5, #1
.endm

    push    {r3-r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r4-r7}
    ldmia   r3!, {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    rsbs    r5, r2, #0
    beq     2f
    adds    r0, r0, r2
    adds    r1, r1, r2
    adds    r3, r1, r2
    adds    r4, r3, r2
    mov     r7, r2
    mov     r2, r3
    mov     r3, r4
    adds    r4, r4, r7
1:  lsls    r7, r5, #30             /* first the count modulo 4 */
    beq     3f
    INPUT
    bne     1b
    b       2f
3:  INPUT
    INPUT
    INPUT
    INPUT
    bne     3b
2:  ldr     r3, [sp, #16]
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    stmia   r3!, {r4-r7}
    pop     {r4-r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r3-r7, pc}

#endif
    .size   te_dot_four, . - te_dot_four

#if __ARM_ARCH_ISA_THUMB == 1

/* As te_round_exact: r0 sums, r1 outputs, r2 y, r12 and lr constants. The product by halves of 16 bits. */
.macro ROUND
    ldmia   r0!, {r3}
    lsls    r3, r3, #1
    asrs    r5, r3, #31
    ldr     r6, [r1, #8]            /* C */
    adds    r5, r5, r6
    mov     r12, r5
    ldr     r4, [r1, #4]            /* M */
    uxth    r5, r3
    asrs    r3, r3, #16
    uxth    r6, r4
    lsrs    r4, r4, #16
    movs    r7, r5
    muls    r7, r6, r7
    muls    r6, r3, r6
    muls    r5, r4, r5
    muls    r4, r3, r4
    add     r4, r12
    lsrs    r7, r7, #16
    add     r7, lr                  /* 2^15: half of the high word's unit */
    uxth    r3, r6
    adds    r7, r7, r3
    asrs    r6, r6, #16
    adds    r4, r4, r6
    uxth    r3, r5
    adds    r7, r7, r3
    lsrs    r5, r5, #16
    adds    r4, r4, r5
    lsrs    r7, r7, #16
    adds    r4, r4, r7
    ldr     r3, [r1, #12]           /* e */
    asrs    r4, r3
    sxtb    r3, r4
    cmp     r3, r4
    beq     1f
    asrs    r4, r4, #31
    movs    r3, #127
    eors    r3, r4
1:  strb    r3, [r2]
    adds    r2, #1
    adds    r1, #16
.endm

/* void te_round_four(const int32_t sums[4], const int32_t *outputs, int8_t *y) */
    .section .text.te_round_four, "ax", %progbits
    .global te_round_four
    .type   te_round_four, %function
    .thumb_func
te_round_four:
    push    {r4-r7, lr}
    movs    r3, #1
    lsls    r3, r3, #15
    mov     lr, r3
    ROUND
    ROUND
    ROUND
    ROUND
    pop     {r4-r7, pc}
    .size   te_round_four, . - te_round_four

#endif

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
