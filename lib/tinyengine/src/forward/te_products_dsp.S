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

.macro STORE_S8
    ldm     sp, {r2-r7}             /* y stride end M C e */
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
    ldm     sp, {r2-r4}
    add     r3, r2
    strd    r10, r11, [r3]
    strd    r8, r9, [r2], #8
.endm

/* void te_pack_pair(const int8_t *x0, const int8_t *x1, uint32_t groups, uint32_t less, uint32_t *to) */
FUNCTION te_pack_pair
    push    {r4-r8, lr}
    ldr     r12, [sp, #24]
    cmp     r2, #0
    beq     .Lpacked
.Lpack:
    ldr     r7, [r0], #4
    ldr     r8, [r1], #4
    sxtab16 r4, r3, r7
    sxtab16 r5, r3, r7, ror #8
    sxtab16 r6, r3, r8
    sxtab16 r7, r3, r8, ror #8
    stm     r12!, {r4-r7}
    subs    r2, #1
    bne     .Lpack
.Lpacked:
    pop     {r4-r8, pc}
    .size te_pack_pair, . - te_pack_pair

#define F_Y 0
#define F_A 24
#define F_A_END 28
#define F_ENTRY 32
#define FRAME 36

/* void name(const te_products_args *args); `bytes`: of an output, as a power of two */
.macro PRODUCTS name, store, bytes
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldm     r0, {r0-r8}             /* a b groups pairs y stride M C e */
    add     r9, r4, r3, lsl #(1 + \bytes)
    strd    r4, r5, [sp, #F_Y]
    str     r9, [sp, #(F_Y + 8)]
    strd    r6, r7, [sp, #(F_Y + 12)]
    str     r8, [sp, #(F_Y + 20)]
    add     r9, r0, r2, lsl #4
    sub     r9, #(16 * UNROLL)
    strd    r0, r9, [sp, #F_A]
    subs    r2, #1                  /* groups behind the first */
    rsb     r3, r2, #0
    and     r3, r3, #(UNROLL - 1)   /* skip what the first pass has too many of */
    adr.w   r5, .Lgroups\@
    cmp     r2, #UNROLL
    it      ls
    addls   r5, #(.Llast\@ - .Lgroups\@)
    movs    r4, #GROUP_CODE_BYTES
    mla     r3, r3, r4, r5
    cmp     r2, #0
    it      eq
    addeq   r3, #(UNROLL * GROUP_CODE_BYTES)
    orr     r3, r3, #1
    str     r3, [sp, #F_ENTRY]
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
    ldr     r0, [sp, #F_A]
    cmp     r2, r4
    bne     .Ltile\@
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
