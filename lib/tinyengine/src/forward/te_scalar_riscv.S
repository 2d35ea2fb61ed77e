/* The hot loops of te_scalar.c for RISC-V: an input serves four filters, and where there are two pixels, a weight both.
 * In 31 registers two pixels take 16 instructions of arithmetic and 6 loads for 8 products. */
#if defined(__riscv) && __riscv_xlen == 32 && !defined(TE_PORTABLE)

/* a0 input, and a4 of the second pixel; a1, a5, a6, a7 filters; a3 sums; t0, t1 values; t2 weight; t3 product; t6 end. */
.macro ONCE filter, sum, offset
    lb      t2, \offset(\filter)
    mul     t3, t2, t0
    add     \sum, \sum, t3
.endm

.macro TWICE filter, sum, second, offset
    lb      t2, \offset(\filter)
    mul     t3, t2, t0
    mul     t2, t2, t1
    add     \sum, \sum, t3
    add     \second, \second, t2
.endm

.macro ONE_PIXEL offset
    lb      t0, \offset(a0)
    ONCE    a1, t4, \offset
    ONCE    a5, t5, \offset
    ONCE    a6, a4, \offset
    ONCE    a7, t1, \offset
.endm

.macro TWO_PIXELS offset
    lb      t0, \offset(a0)
    lb      t1, \offset(a4)
    TWICE   a1, s0, s4, \offset
    TWICE   a5, s1, s5, \offset
    TWICE   a6, s2, s6, \offset
    TWICE   a7, s3, s7, \offset
.endm

.macro ADVANCE count
    addi    a0, a0, \count
    addi    a1, a1, \count
    addi    a5, a5, \count
    addi    a6, a6, \count
    addi    a7, a7, \count
.endm

/* First the count modulo 4, to where t6 points. */
.macro EACH pixels, second
    andi    t6, a2, 3
    add     a2, a2, a0
    beqz    t6, 2f
    add     t6, t6, a0
1:  \pixels 0
    .ifnb \second
    addi    \second, \second, 1
    .endif
    ADVANCE 1
    bne     a0, t6, 1b
2:  beq     a0, a2, 4f
3:  \pixels 0
    \pixels 1
    \pixels 2
    \pixels 3
    .ifnb \second
    addi    \second, \second, 4
    .endif
    ADVANCE 4
    bne     a0, a2, 3b
4:
.endm

.macro FILTERS
    add     a5, a1, a2
    add     a6, a5, a2
    add     a7, a6, a2
.endm

    .section .text.te_dot_four, "ax", %progbits
    .global te_dot_four
    .type   te_dot_four, %function
/* void te_dot_four(const int8_t *x, const int8_t *w, uint32_t count, int32_t sums[4]) */
te_dot_four:
    FILTERS
    lw      t4, 0(a3)
    lw      t5, 4(a3)
    lw      a4, 8(a3)
    lw      t1, 12(a3)
    EACH    ONE_PIXEL
    sw      t4, 0(a3)
    sw      t5, 4(a3)
    sw      a4, 8(a3)
    sw      t1, 12(a3)
    ret
    .size   te_dot_four, . - te_dot_four

    .section .text.te_dot_two_by_four, "ax", %progbits
    .global te_dot_two_by_four
    .type   te_dot_two_by_four, %function
/* void te_dot_two_by_four(const int8_t *x, const int8_t *w, uint32_t count, int32_t sums[8]) */
te_dot_two_by_four:
    addi    sp, sp, -32
    sw      s0, 0(sp)
    sw      s1, 4(sp)
    sw      s2, 8(sp)
    sw      s3, 12(sp)
    sw      s4, 16(sp)
    sw      s5, 20(sp)
    sw      s6, 24(sp)
    sw      s7, 28(sp)
    FILTERS
    add     a4, a0, a2
    lw      s0, 0(a3)
    lw      s1, 4(a3)
    lw      s2, 8(a3)
    lw      s3, 12(a3)
    lw      s4, 16(a3)
    lw      s5, 20(a3)
    lw      s6, 24(a3)
    lw      s7, 28(a3)
    EACH    TWO_PIXELS, a4
    sw      s0, 0(a3)
    sw      s1, 4(a3)
    sw      s2, 8(a3)
    sw      s3, 12(a3)
    sw      s4, 16(a3)
    sw      s5, 20(a3)
    sw      s6, 24(a3)
    sw      s7, 28(a3)
    lw      s0, 0(sp)
    lw      s1, 4(sp)
    lw      s2, 8(sp)
    lw      s3, 12(sp)
    lw      s4, 16(sp)
    lw      s5, 20(sp)
    lw      s6, 24(sp)
    lw      s7, 28(sp)
    addi    sp, sp, 32
    ret
    .size   te_dot_two_by_four, . - te_dot_two_by_four

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
