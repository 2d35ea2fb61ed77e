/* Inner loops of te_products.h for Armv7E-M: layouts and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* Groups per pass of the loop, a power of two. */
#define UNROLL 4
#define GROUP_CODE_BYTES 40 /* only 32-bit instructions, so that the loop can be entered at any group */

/* One group of two lines times two lines: r8 = first x first, r9 = first x second, r10, r11 = second x ... */
.macro LOAD_GROUP
    ldmia.w r0!, {r2-r5}
    ldmia.w r1!, {r6, r7, r12, lr}
.endm

.macro GROUP
    LOAD_GROUP
    smlad   r8, r2, r6, r8
    smlad   r9, r2, r12, r9
    smlad   r10, r4, r6, r10
    smlad   r11, r4, r12, r11
    smlad   r8, r3, r7, r8
    smlad   r9, r3, lr, r9
    smlad   r10, r5, r7, r10
    smlad   r11, r5, lr, r11
.endm

.macro FIRST_GROUP
    LOAD_GROUP
    smuad   r8, r2, r6
    smuad   r9, r2, r12
    smuad   r10, r4, r6
    smuad   r11, r4, r12
    smlad   r8, r3, r7, r8
    smlad   r9, r3, lr, r9
    smlad   r10, r5, r7, r10
    smlad   r11, r5, lr, r11
.endm

.macro EXACT sum /* M C e in r5-r7 */
    add     lr, r6, \sum, asr #31
    smmlar  \sum, \sum, r5, lr
    asr     \sum, \sum, r7
    ssat    \sum, #8, \sum
.endm

/* What a tile's end loads: the first words of the frame. */
.macro STORE_S8
    ldm     sp, {r0, r2-r7}         /* a y stride end M C e */
    EXACT   r8
    EXACT   r9
    EXACT   r10
    EXACT   r11
    bfi     r8, r9, #8, #8
    bfi     r10, r11, #8, #8
    strh    r10, [r2, r3]
    strh    r8, [r2], #2
.endm

.macro STORE_S32
    ldm     sp, {r0, r2-r4}
    add     r3, r2
    strd    r10, r11, [r3]
    strd    r8, r9, [r2], #8
.endm

/* One group of two lines at r4 and r5, to r12; less in r3. */
.macro PACK_PAIR
    ldr     r8, [r4], #4
    ldr     r9, [r5], #4
    sxtab16 r6, r3, r8
    sxtab16 r7, r3, r8, ror #8
    sxtab16 r8, r3, r9
    sxtab16 r9, r3, r9, ror #8
    stm     r12!, {r6-r9}
.endm

/* void te_pack_pair(const int8_t *x0, const int8_t *x1, uint32_t groups, uint32_t less, uint32_t *to) */
FUNCTION te_pack_pair
    push    {r4-r9, lr}
    ldr     r12, [sp, #28]
    mov     r4, r0
    mov     r5, r1
    cmp     r2, #0
    beq     .Lpacked
.Lpack:
    PACK_PAIR
    subs    r2, #1
    bne     .Lpack
.Lpacked:
    pop     {r4-r9, pc}
    .size te_pack_pair, . - te_pack_pair

/* void te_pack_four(const int8_t *x, int32_t step, uint32_t groups, uint32_t less, uint32_t *to, uint32_t pair) */
FUNCTION te_pack_four
    push    {r3-r11, lr}
    ldrd    r4, r5, [sp, #40]
    add     r5, r4, r5, lsl #2
    cmp     r2, #0
    beq     .Lfour_packed
.Lfour:                             /* even lines of values 0 2 1 3: r6-r9, odd ones: r10 r11 lr r12 */
    ldr     r6, [r0]
    ldr     r8, [r0, r1]
    add     r0, r0, r1, lsl #1
    ldr     r7, [r0]
    ldr     r9, [r0, r1]
    add     r0, r0, r1, lsl #1
    ldr     r3, [sp]
    sxtab16 r10, r3, r6, ror #8
    sxtab16 r6, r3, r6
    sxtab16 r11, r3, r7, ror #8
    sxtab16 r7, r3, r7
    sxtab16 lr, r3, r8, ror #8
    sxtab16 r8, r3, r8
    sxtab16 r12, r3, r9, ror #8
    sxtab16 r9, r3, r9
    pkhbt   r3, r6, r7, lsl #16
    pkhtb   r7, r7, r6, asr #16
    pkhbt   r6, r8, r9, lsl #16
    pkhtb   r9, r9, r8, asr #16
    pkhbt   r8, r10, r11, lsl #16
    pkhtb   r11, r11, r10, asr #16
    pkhbt   r10, lr, r12, lsl #16
    pkhtb   r12, r12, lr, asr #16
    stm     r4!, {r3, r6, r8, r10}
    stm     r5!, {r7, r9, r11, r12}
    subs    r2, #1
    bne     .Lfour
.Lfour_packed:
    pop     {r3-r11, pc}
    .size te_pack_four, . - te_pack_four

/* void te_double_lines(uint32_t *packed, uint32_t words) */
.macro DOUBLE first, words:vararg
    sadd16  \first, \first, \first
    .ifnb   \words
    DOUBLE  \words
    .endif
.endm

FUNCTION te_double_lines
    push    {r4-r9, lr}
    subs    r1, #8
    blo     .Ldouble_rest
.Ldouble_eight:
    ldm     r0, {r2-r9}
    DOUBLE  r2, r3, r4, r5, r6, r7, r8, r9
    stm     r0!, {r2-r9}
    subs    r1, #8
    bhs     .Ldouble_eight
.Ldouble_rest:
    adds    r1, #8
    beq     .Ldoubled
    ldm     r0, {r2-r5}
    DOUBLE  r2, r3, r4, r5
    stm     r0, {r2-r5}
.Ldoubled:
    pop     {r4-r9, pc}
    .size te_double_lines, . - te_double_lines

#define F_A 0
#define F_Y 4
#define F_END 12
#define F_M 16
#define F_E 24
#define F_A_END 28
#define F_ENTRY 32
#define F_B 36
#define F_GROUPS 40
#define F_BYTES 44 /* of a line of y */
#define F_X 48
#define F_LESS 56
#define F_ROWS 60
#define FRAME 64

/* void name(const te_products_args *args); `bytes`: of an output, as a power of two; of bytes rows are packed here. */
.macro PRODUCTS name, store, bytes
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    mov     r12, r0
    ldm     r12!, {r0-r8}           /* a b groups pairs y stride M C e */
    lsl     r3, r3, #(1 + \bytes)
    add     r9, r4, r3
    str     r0, [sp, #F_A]
    strd    r4, r5, [sp, #F_Y]
    str     r9, [sp, #F_END]
    strd    r6, r7, [sp, #F_M]
    str     r8, [sp, #F_E]
    .if     \bytes == 0
    add     r10, sp, #F_B
    ldm     r12, {r4-r7}            /* x line less rows */
    stm     r10, {r1-r7}
    .endif
    add     r9, r0, r2, lsl #4
    sub     r9, #(16 * UNROLL)
    str     r9, [sp, #F_A_END]
    subs    r2, #1                  /* groups behind the first */
    rsb     r3, r2, #0
    and     r3, r3, #(UNROLL - 1)   /* skip what the first pass has too many of */
    adr.w   r5, .Lgroups\@
    cmp     r2, #UNROLL
    it      ls
    addls   r5, #(.Llast\@ - .Lgroups\@)
    movs    r6, #GROUP_CODE_BYTES
    mla     r3, r3, r6, r5
    cmp     r2, #0
    it      eq
    addeq   r3, #(UNROLL * GROUP_CODE_BYTES)
    orr     r3, r3, #1
    str     r3, [sp, #F_ENTRY]
    .if     \bytes == 0
    cbz     r4, .Ltile\@
.Lrows\@:
    ldrd    r4, r5, [sp, #F_X]
    ldr     r3, [sp, #F_LESS]
    ldr     r2, [sp, #F_GROUPS]
    mov     r12, r0
    add     r6, r4, r5, lsl #1
    add     r5, r4
    str     r6, [sp, #F_X]
.Lpack\@:
    PACK_PAIR
    subs    r2, #1
    bne     .Lpack\@
    .endif
.Ltile\@:
    FIRST_GROUP
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
.Lgroups\@:                         /* the hot loop */
    .rept UNROLL
    GROUP
    .endr
    ldr     r2, [sp, #F_A_END]
    cmp     r0, r2
    bne.w   .Lgroups\@
.Llast\@:
    .rept UNROLL
    GROUP
    .endr
    \store
    str     r2, [sp, #F_Y]
    cmp     r2, r4
    bne     .Ltile\@
    .if     \bytes == 0
    ldr     r5, [sp, #F_X]
    cbz     r5, .Lend\@
    ldr     r7, [sp, #F_ROWS]
    subs    r7, #1
    beq     .Lend\@
    str     r7, [sp, #F_ROWS]
    ldr     r1, [sp, #F_B]
    ldr     r7, [sp, #F_BYTES]
    add     r4, r4, r3, lsl #1
    sub     r2, r4, r7
    str     r2, [sp, #F_Y]
    str     r4, [sp, #F_END]
    b       .Lrows\@
.Lend\@:
    .endif
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    PRODUCTS te_products_s8, STORE_S8, 0
    PRODUCTS te_products_s32, STORE_S32, 2

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
