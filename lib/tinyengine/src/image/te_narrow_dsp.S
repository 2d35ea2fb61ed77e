/* te_narrow.h for Armv7E-M. Columns are taken in pairs, an odd one first; flags survive it.
 *
 * r0 pixels, r1 weights, r2-r4 sums of the output (red, green, blue), r5-r7 of the one behind it;
 * on the stack near, next, what lies at the sums' and the counts' place. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

#define HALF 0x200000
#define SUMS [sp, #8]
#define COUNTS [sp, #12]
#define IS_SECOND [sp, #16]

/* r0: te_narrowing, r1: pixels. */
.macro ENTER
    push    {r4-r11, lr}
    ldrd    r8, r9, [r0, #20]
    ldr     r10, [r0, #16]
    ldr     r11, [r0, #4]
    push    {r8-r11}
    ldr     r2, [r0]
    mov     r0, r1
    mov     r1, r2
    mov     r2, #HALF
    mov     r3, #HALF
    mov     r4, #HALF
.endm

.macro LEAVE name
    add     sp, #16
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* A complete sum, weighted by near (r8) and next (r9), into the sums at r12. */
.macro PUT sum
    lsr     \sum, \sum, #22
    ldrd    r10, r11, [r12]
    mla     r10, \sum, r8, r10
    mla     r11, \sum, r9, r11
    strd    r10, r11, [r12], #8
.endm

.macro PUT_COLOR
    ldrd    r8, r9, [sp]
    PUT     r2
    PUT     r3
    PUT     r4
    mov     r2, r5
    mov     r3, r6
    mov     r4, r7
.endm

/* One pixel of three bytes. */
.macro COLOR_888
    ldrd    r8, r9, [r1], #8
    ldrb    r10, [r0], #1
    mla     r2, r10, r8, r2
    mla     r5, r10, r9, r5
    ldrb    r10, [r0], #1
    mla     r3, r10, r8, r3
    mla     r6, r10, r9, r6
    ldrb    r10, [r0], #1
    mla     r4, r10, r8, r4
    mla     r7, r10, r9, r7
.endm

FUNCTION te_narrow_rgb888
    ENTER
    ldr     r12, SUMS
    ldr     lr, COUNTS
.Loutput_888:
    ldrh    r11, [lr], #2
    mov     r5, #HALF
    mov     r6, #HALF
    mov     r7, #HALF
    lsrs    r11, r11, #1
    bcc     .Leven_888
    COLOR_888
    beq     .Lput_888
.Lpair_888:
    COLOR_888
    COLOR_888
    subs    r11, #1
    bne     .Lpair_888
.Lput_888:
    PUT_COLOR
    b       .Loutput_888
.Leven_888:
    bne     .Lpair_888 /* a count of 0 ends the outputs */
    LEAVE te_narrow_rgb888

/* The channels of two pixels in r12, times 2^7: r10 red, r11 green, r12 blue. */
.macro UNPACK_565
    lsr     r10, r12, #1
    and     r10, r10, #0x7C007C00
    orr     r10, r10, r10, lsr #5
    bic     r10, r10, #0x00600060
    lsl     r11, r12, #4
    and     r11, r11, #0x7E007E00
    orr     r11, r11, r11, lsr #6
    bic     r11, r11, #0x00780078
    lsl     r12, r12, #10
    and     r12, r12, #0x7C007C00
    orr     r12, r12, r12, lsr #5
    bic     r12, r12, #0x00600060
.endm

/* The pixel in halves of r10-r12: weights times 2^9, channels times 2^7, over 2^16. */
.macro COLOR_565 add
    ldrd    r8, r9, [r1], #8
    \add    r2, r8, r10, r2
    \add    r5, r9, r10, r5
    \add    r3, r8, r11, r3
    \add    r6, r9, r11, r6
    \add    r4, r8, r12, r4
    \add    r7, r9, r12, r7
.endm

.macro NARROW_565 name, big
FUNCTION \name
    ENTER
.Loutput_\name:
    ldr     r8, COUNTS
    ldrh    lr, [r8], #2
    str     r8, COUNTS
    mov     r5, #HALF
    mov     r6, #HALF
    mov     r7, #HALF
    lsrs    lr, lr, #1
    bcc     .Leven_\name
    ldrh    r12, [r0], #2
    .if \big
    rev16   r12, r12
    .endif
    UNPACK_565
    COLOR_565 smlawb
    beq     .Lput_\name
.Lpair_\name:
    ldr     r12, [r0], #4
    .if \big
    rev16   r12, r12
    .endif
    UNPACK_565
    COLOR_565 smlawb
    COLOR_565 smlawt
    subs    lr, #1
    bne     .Lpair_\name
.Lput_\name:
    ldr     r12, SUMS
    PUT_COLOR
    str     r12, SUMS
    b       .Loutput_\name
.Leven_\name:
    bne     .Lpair_\name
    LEAVE \name
.endm

    NARROW_565 te_narrow_rgb565le, 0
    NARROW_565 te_narrow_rgb565be, 1

.macro GRAY near, next, step
    ldrb    lr, [r0], #\step
    mla     r2, lr, \near, r2
    mla     r3, lr, \next, r3
.endm

/* r2: sum of the output, r3: of the one behind it; r8 near, r9 next, r10 sums, r11 counts. */
.macro NARROW_GRAYS name, step
FUNCTION \name
    push    {r4-r11, lr}
    ldrd    r8, r9, [r0, #20]
    ldr     r10, [r0, #16]
    ldr     r11, [r0, #4]
    ldr     r2, [r0]
    mov     r0, r1
    mov     r1, r2
    mov     r2, #HALF
.Loutput_\name:
    ldrh    r12, [r11], #2
    mov     r3, #HALF
    lsrs    r12, r12, #1
    bcc     .Leven_\name
    ldmia   r1!, {r4, r5}
    GRAY    r4, r5, \step
    beq     .Lput_\name
.Lpair_\name:
    ldmia   r1!, {r4-r7}
    GRAY    r4, r5, \step
    GRAY    r6, r7, \step
    subs    r12, #1
    bne     .Lpair_\name
.Lput_\name:
    lsr     r2, r2, #22
    ldrd    r4, r5, [r10]
    mla     r4, r2, r8, r4
    mla     r5, r2, r9, r5
    strd    r4, r5, [r10], #8
    mov     r2, r3
    b       .Loutput_\name
.Leven_\name:
    bne     .Lpair_\name
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    NARROW_GRAYS te_narrow_grays, 1
    NARROW_GRAYS te_narrow_other_grays, 2

/* Two pixels of YUV 4:2:2 in r12, times 2^7: red and blue of the first in r10, of the second in r11, both greens
 * in r12. JPEG's factors, halved for green (16 bits); products rounded to the nearest. */
.macro CONVERT_YUV y_first
    .if \y_first
    eor     r8, r12, #0x80008000
    sxtb16  r8, r8, ror #8
    uxtb16  r12, r12
    .else
    eor     r8, r12, #0x00800080
    sxtb16  r8, r8
    uxtb16  r12, r12, ror #8
    .endif
    ldr     r10, =0xA497D3F3 /* -23401, -11277 */
    mov     r11, #16384
    smlad   r9, r8, r10, r11
    asr     r9, r9, #15
    pkhbt   r9, r9, r9, lsl #16
    sadd16  r9, r9, r12
    usat16  r9, #8, r9
    lsl     r10, r8, #16
    ldr     r11, =116130
    smmulr  r10, r10, r11
    bfc     r8, #0, #16
    ldr     r11, =91881
    smmulr  r8, r8, r11
    pkhbt   r8, r8, r10, lsl #16
    pkhbt   r10, r12, r12, lsl #16
    pkhtb   r11, r12, r12, asr #16
    sadd16  r10, r10, r8
    sadd16  r11, r11, r8
    usat16  r10, #8, r10
    usat16  r11, #8, r11
    lsl     r10, r10, #7
    lsl     r11, r11, #7
    lsl     r12, r9, #7
.endm

.macro COLOR_YUV red_blue, green
    ldrd    r8, r9, [r1], #8
    smlawb  r2, r8, \red_blue, r2
    smlawb  r5, r9, \red_blue, r5
    \green  r3, r8, r12, r3
    \green  r6, r9, r12, r6
    smlawt  r4, r8, \red_blue, r4
    smlawt  r7, r9, \red_blue, r7
.endm

/* r2: whether the first pixel is the second of its pair. Pairs that belong to two outputs are converted twice. */
.macro NARROW_YUV name, y_first
FUNCTION \name
    push    {r4-r11, lr}
    ldrd    r8, r9, [r0, #20]
    ldr     r10, [r0, #16]
    ldr     r11, [r0, #4]
    mov     r12, r2
    sub     sp, #4
    push    {r8-r12}
    ldr     r2, [r0]
    mov     r0, r1
    mov     r1, r2
    mov     r2, #HALF
    mov     r3, #HALF
    mov     r4, #HALF
.Loutput_\name:
    ldr     r8, COUNTS
    ldrh    lr, [r8], #2
    str     r8, COUNTS
    cmp     lr, #0
    beq     .Lend_\name
    mov     r5, #HALF
    mov     r6, #HALF
    mov     r7, #HALF
    ldr     r8, IS_SECOND
    cmp     r8, #0
    beq     .Lwhole_\name
    ldr     r12, [r0, #-2]
    adds    r0, #2
    CONVERT_YUV \y_first
    COLOR_YUV r11, smlawt
    sub     lr, #1
.Lwhole_\name:
    and     r8, lr, #1
    str     r8, IS_SECOND
    lsrs    lr, lr, #1
    beq     .Llast_\name
.Lpair_\name:
    ldr     r12, [r0], #4
    CONVERT_YUV \y_first
    COLOR_YUV r10, smlawb
    COLOR_YUV r11, smlawt
    subs    lr, #1
    bne     .Lpair_\name
.Llast_\name:
    ldr     r8, IS_SECOND
    cmp     r8, #0
    beq     .Lput_\name
    ldr     r12, [r0], #2
    CONVERT_YUV \y_first
    COLOR_YUV r10, smlawb
.Lput_\name:
    ldr     r12, SUMS
    PUT_COLOR
    str     r12, SUMS
    b       .Loutput_\name
.Lend_\name:
    add     sp, #24
    pop     {r4-r11, pc}
    .ltorg
    .size \name, . - \name
.endm

    NARROW_YUV te_narrow_yuyv, 1
    NARROW_YUV te_narrow_uyvy, 0

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
