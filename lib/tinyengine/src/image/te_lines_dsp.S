/* te_lines.h for Armv7E-M: lines added to the sums of their columns. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* r0 sums, r1 bytes, r12 weight on the row that is being made, lr on the one behind it. On the stack the ends of the
 * words that are added one by one, and of those that are added by eights. */
.macro ENTER
    push    {r4-r11, lr}
    uxth    r12, r3
    lsr     lr, r3, #16
    add     r3, r1, r2, lsl #2
    and     r2, r2, #7
    add     r2, r1, r2, lsl #2
    push    {r2, r3}
.endm

/* `one`, `eight`: macros. */
.macro ADD_ALL name, one, eight, swap, begin
    b       2f
1:  \one    \swap, \begin
2:  ldr     r3, [sp]
    cmp     r1, r3
    bne     1b
    b       4f
3:  \eight  \swap, \begin
4:  ldr     r3, [sp, #4]
    cmp     r1, r3
    bne     3b
    add     sp, #8
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* Two numbers to the sums. */
.macro WEIGH numbers, sum, behind, begin
    .if \begin
    mla     \sum, \numbers, r12, \behind
    mul     \behind, \numbers, lr
    .else
    mla     \sum, \numbers, r12, \sum
    mla     \behind, \numbers, lr, \behind
    .endif
.endm

/* Two pixels. r10 and r11 are masks of 5 and 6 bits per half. */
.macro WORD_565 swap, begin
    ldr     r2, [r1], #4
    .if \swap
    rev16   r2, r2
    .endif
    ldm     r0, {r4-r9}
    and     r3, r10, r2, lsr #11
    WEIGH   r3, r4, r7, \begin
    and     r3, r11, r2, lsr #5
    WEIGH   r3, r5, r8, \begin
    WEIGH   r2, r6, r9, \begin
    stm     r0!, {r4-r9}
.endm

.macro WORDS_565 swap, begin
    .rept 8
    WORD_565 \swap, \begin
    .endr
.endm

.macro ADD_565 name, swap, begin
FUNCTION \name
    ENTER
    mov     r10, #0x001F001F
    mov     r11, #0x003F003F
    ADD_ALL \name, WORD_565, WORDS_565, \swap, \begin
.endm

    ADD_565 te_add_rgb565le, 0, 0
    ADD_565 te_begin_rgb565le, 0, 1
    ADD_565 te_add_rgb565be, 1, 0
    ADD_565 te_begin_rgb565be, 1, 1

.macro BYTES even, odd, even_behind, odd_behind, begin
    ldr     r2, [r1], #4
    uxtb16  r3, r2
    WEIGH   r3, \even, \even_behind, \begin
    uxtb16  r3, r2, ror #8
    WEIGH   r3, \odd, \odd_behind, \begin
.endm

.macro WORD_BYTES swap, begin
    ldm     r0, {r4-r7}
    BYTES   r4, r5, r6, r7, \begin
    stm     r0!, {r4-r7}
.endm

.macro WORDS_BYTES swap, begin
    .rept 4
    ldm     r0, {r4-r11}
    BYTES   r4, r5, r6, r7, \begin
    BYTES   r8, r9, r10, r11, \begin
    stm     r0!, {r4-r11}
    .endr
.endm

.macro ADD_BYTES name, begin
FUNCTION \name
    ENTER
    ADD_ALL \name, WORD_BYTES, WORDS_BYTES, 0, \begin
.endm

    ADD_BYTES te_add_bytes, 0
    ADD_BYTES te_begin_bytes, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
