/* Kernels of te_depthwise_map.h for Armv7E-M: layouts, registers and budgets are described there. */
#include "tinyengine/te_depthwise_map_list.h"

#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

    .syntax unified
    .thumb

/* ---- shape of an instance, as symbols ------------------------------------------------------------------------------- */

/* Plane \p (E: even or all pixels, O: odd ones) whose first tap meets pixel -\d and that has \c taps: sh\p words before
 * the first output's, nm\p tap words, s0\p pixels of padding in front, lead\p zero taps in front, nw\p words a row. */
.macro PLANE p, d, c, pixels
    .set lead\p, 0
    .set s0\p, 0
    .if (\d) & 1
    .if (\c) & 1
    .set lead\p, 1
    .else
    .set s0\p, 1
    .endif
    .endif
    .set sh\p, ((\d) + lead\p - s0\p) / 2
    .set nm\p, ((\c) + 1) / 2
    .set c\p, \c
    .set nw\p, ((\pixels) + s0\p + 1) / 2
.endm

.macro SHAPE k, s, w, p
    .set K, \k
    .set S, \s
    .set W, \w
    .if \s == 1
    .set OW, W
    .set t0E, 0
    PLANE   E, \p, K, W
    .set t0O, 0
    .set cO, 0
    .set nmO, 0
    .set nwO, 0
    .set shO, 0
    .set s0O, 0
    .set leadO, 0
    .else
    .set OW, (W + 1) / 2
    .set t0E, \p & 1
    .set t0O, (\p + 1) & 1
    PLANE   E, (\p - t0E) / 2, (K - t0E + 1) / 2, (W + 1) / 2
    PLANE   O, (\p + 1 - t0O) / 2, (K - t0O + 1) / 2, W / 2
    .endif
    .set NM, nmE + nmO
    .set RS, 4 * (nwE + nwO)
    .set F, (OW + 1) / 2            /* accumulators with an even output */
    .set TAIL, 1 - (OW & 1)         /* the last odd output needs one more bottom field */
.endm

/* ---- frame ----------------------------------------------------------------------------------------------------------- */

#define F_START 0      /* starting value, three times */
#define F_M 24         /* and C */
#define F_C 28
#define F_E 32
#define F_PITCH 36     /* and where the next output goes (kernel 3: in r12) */
#define F_OUT 40
#define F_CARRY 44     /* kernels 5, 7: high word of the last accumulator */
#define F_STEP 48      /* from where r12 ends to the next row of outputs; where the rows end (kernel 3: of pixels) */
#define F_END 52
#define F_BEGIN 56     /* first row of the table (kernel 3: of pixels), and the current one */
#define F_ROW 60
#define F_X 64
#define F_WRAPPED 68
#define F_STAGED_END 72
#define F_PACKED 76
#define F_CONSTANTS 80
#define F_Y 84
#define F_CHANNELS 88
#define F_TAPS 92
#define F_GATHER 96    /* r1-r7 and r12 of the gathering loop */
#define F_TABLE 128    /* kernel 3: taps */
#define F_ZERO 152     /* 2 * zero point of y + 1 */
#define FRAME 160

/* te_depthwise_map_args */
#define A_X 0
#define A_WRAPPED 4
#define A_STAGED 8
#define A_FIRST_END 12
#define A_STAGED_END 16
#define A_PITCH 20
#define A_LINE 24
#define A_ZERO 28
#define A_Y 32
#define A_OUT_LINE 36
#define A_BEGIN 40
#define A_END 44
#define A_TAPS 48
#define A_PACKED 52
#define A_CONSTANTS 56
#define A_CHANNELS 60
#define A_OUT_ZERO 64

/* ---- gathering: r0 x, r1 pitch, r6 r7 r12 three, five, seven times that, r2 row, r3 end, r4 to the next row, r5 zero points -- */

/* Pixel \index, of a row whose pixel BASE is at r0, or none. */
.macro PIXEL to, index
    .if EMIT
    .if (\index) - BASE == 0
    ldrsb   \to, [r0]
    .elseif (\index) - BASE == 1
    ldrsb   \to, [r0, r1]
    .elseif (\index) - BASE == 2
    ldrsb   \to, [r0, r1, lsl #1]
    .elseif (\index) - BASE == 3
    ldrsb   \to, [r0, r6]
    .elseif (\index) - BASE == 4
    ldrsb   \to, [r0, r1, lsl #2]
    .elseif (\index) - BASE == 5
    ldrsb   \to, [r0, r7]
    .elseif (\index) - BASE == 6
    ldrsb   \to, [r0, r6, lsl #1]
    .elseif (\index) - BASE == 7
    ldrsb   \to, [r0, r12]
    .elseif (\index) - BASE == 8
    ldrsb   \to, [r0, r1, lsl #3]
    .else
    .error "pixel out of reach"
    .endif
    .endif
.endm

.macro MOVE_BASE to
    .if EMIT
    .if (\to) - BASE == 1
    add     r0, r0, r1
    .elseif (\to) - BASE == 2
    add     r0, r0, r1, lsl #1
    .elseif (\to) - BASE == 3
    add     r0, r0, r6
    .elseif (\to) - BASE == 4
    add     r0, r0, r1, lsl #2
    .elseif (\to) - BASE == 5
    add     r0, r0, r7
    .elseif (\to) - BASE == 6
    add     r0, r0, r6, lsl #1
    .elseif (\to) - BASE == 7
    add     r0, r0, r12
    .elseif (\to) - BASE == 8
    add     r0, r0, r1, lsl #3
    .else
    .error "step out of reach"
    .endif
    .endif
    .set BASE, \to
.endm

/* A word of pixels \a and \b, either of which may not exist, less the zero points; \t is lost. */
.macro PIXEL_WORD to, t, a, b
    .if (\a >= 0) && (\b < W)
    PIXEL   \to, \a
    PIXEL   \t, \b
    .if EMIT
    add     \to, \to, \t, lsl #21
    sub     \to, \to, r5
    .endif
    .elseif \a >= 0
    PIXEL   \to, \a
    .if EMIT
    sxth    \t, r5                  /* one zero point */
    sub     \to, \to, \t
    .endif
    .else
    PIXEL   \to, \b
    .if EMIT
    sub     \to, \to, r5
    lsl     \to, \to, #21           /* all but the low 11 bits go */
    .endif
    .endif
.endm

/* Six pixels of a row into three words. */
.macro GATHER_GROUP first
    .if (\first) < W
    .if (\first) > 0
    MOVE_BASE \first
    .endif
    PIXEL_WORD r8, r9, \first, (\first + 1)
    .if (\first + 2) < W
    PIXEL_WORD r10, r11, (\first + 2), (\first + 3)
    .if (\first + 4) < W
    PIXEL_WORD lr, r9, (\first + 4), (\first + 5)
    .if EMIT
    stmia.w r2!, {r8, r10, lr}
    .endif
    .elseif EMIT
    strd    r8, r10, [r2], #8
    .endif
    .elseif EMIT
    str     r8, [r2], #4
    .endif
    .endif
.endm

/* Up to two words of plane \p from word \i on, which begins with pixel \a. */
.macro GATHER_PLANE p, i, a, at
    .if (\i) < nw\p
    .if (\a) + 6 - BASE > 8
    MOVE_BASE (\a)
    .endif
    PIXEL_WORD r8, r9, (\a), (\a + 2)
    .if (\i) + 1 < nw\p
    PIXEL_WORD r10, r11, (\a + 4), (\a + 6)
    .if EMIT
    strd    r8, r10, [r2, #(\at + 4 * (\i))]
    .endif
    .elseif EMIT
    str     r8, [r2, #(\at + 4 * (\i))]
    .endif
    .endif
.endm

.macro GATHER_PIXELS
    .set BASE, 0
    .set g, 0
    .if S == 1
    .rept (W + 5) / 6
    GATHER_GROUP g
    .set g, g + 6
    .endr
    .else
    .rept (nwE + 2) / 2
    .if s0O && (g > 0) && (g < nwO)
    MOVE_BASE (4 * g - 1)
    .endif
    GATHER_PLANE E, g, (4 * g - 2 * s0E), 0
    GATHER_PLANE O, g, (4 * g + 1 - 2 * s0O), (4 * nwE)
    .set g, g + 2
    .endr
    .if EMIT
    add     r2, r2, #RS
    .endif
    .endif
.endm

/* ---- taps ------------------------------------------------------------------------------------------------------------ */

/* Word \m of plane \p of the kernel row at r0 + \at, of columns t0, t0 + S, ...; r3 is lost. */
.macro TAP_WORD word, p, m, at, fast
    .if (2 * (\m) - lead\p >= 0) && (2 * (\m) + 1 - lead\p < c\p)
    ldrsb   \word, [r0, #(\at + t0\p + S * (2 * (\m) + 1 - lead\p))]
    ldrsb   r3, [r0, #(\at + t0\p + S * (2 * (\m) - lead\p))]
    add     \word, \word, r3, lsl #21
    .elseif 2 * (\m) - lead\p >= 0
    ldrsb   \word, [r0, #(\at + t0\p + S * (2 * (\m) - lead\p))]
    lsl     \word, \word, #21
    .else
    ldrsb   \word, [r0, #(\at + t0\p)]
    .endif
    .if !\fast
    lsl     \word, \word, #1
    .endif
.endm

/* Tap word \t of a row: those of plane E first. */
.macro TAP word, t, at, fast
    .if (\t) < nmE
    TAP_WORD \word, E, (\t), \at, \fast
    .elseif (\t) < NM
    TAP_WORD \word, O, ((\t) - nmE), \at, \fast
    .endif
.endm

/* ---- products -------------------------------------------------------------------------------------------------------- */

.macro PRODUCT q, pixels, tap
    .if (\q) == 0
    smlal   r4, r5, \pixels, \tap
    .elseif (\q) == 1
    smlal   r6, r7, \pixels, \tap
    .else
    smlal   r8, r9, \pixels, \tap
    .endif
.endm

/* Word \i of plane \p meets accumulator i + sh - m through tap word m. */
.macro MEET p, i, pixels, m, tap
    .if (\m) < nm\p
    .set q, (\i) + sh\p - (\m) - Q
    .if (q >= 0) && (q < N)
    PRODUCT q, \pixels, \tap
    .elseif (q == N) && ENDS
    .if K == 7
    smlabb  r3, \pixels, \tap, r3
    .else
    smlabb  lr, \pixels, \tap, lr
    .endif
    .endif
    .endif
.endm

.macro MEETS p, i, pixels
    .ifc \p, E
    MEET    E, \i, \pixels, 0, r10
    MEET    E, \i, \pixels, 1, r11
    MEET    E, \i, \pixels, 2, r12
    MEET    E, \i, \pixels, 3, lr
    .else
    .if nmE == 1
    MEET    O, \i, \pixels, 0, r11
    MEET    O, \i, \pixels, 1, r12
    MEET    O, \i, \pixels, 2, lr
    .else
    MEET    O, \i, \pixels, 0, r12
    MEET    O, \i, \pixels, 1, lr
    .endif
    .endif
.endm

/* The words of plane \p that the block needs: low .. high. */
.macro RANGE p
    .set low, Q - sh\p
    .if low < 0
    .set low, 0
    .endif
    .set high, Q + N - 1 + ENDS - sh\p + nm\p - 1
    .if high > nw\p - 1
    .set high, nw\p - 1
    .endif
.endm

/* All words of a plane in one kernel row; kernel 3: row KY from r0 on, else r0 is moved on by the first load. */
.macro PLANE_PRODUCTS p, at
    RANGE   \p
    .set i, low
    .rept 6
    .if i <= high
    .if K == 3
    .set offset, KY * RS + \at + 4 * i
    .else
    .set offset, \at + 4 * (i - FIRST)
    .endif
    .if (i < high) && !((K == 7) && ENDS)
    .if (K > 3) && (offset == 0)
    ldrd    r2, r3, [r0, #RS]!
    .else
    ldrd    r2, r3, [r0, #offset]
    .endif
    MEETS   \p, i, r2
    MEETS   \p, (i + 1), r3
    .set i, i + 2
    .else
    .if (K > 3) && (offset == 0)
    ldr     r2, [r0, #RS]!
    .else
    ldr     r2, [r0, #offset]
    .endif
    MEETS   \p, i, r2
    .set i, i + 1
    .endif
    .endif
    .endr
.endm

.macro ROW_PRODUCTS
    .if K == 3
    ldrd    r10, r11, [sp, #(F_TABLE + 8 * KY)]
    .elseif NM == 3
    ldmia   r1!, {r10, r11, r12}
    .else
    ldmia   r1!, {r10, r11, r12, lr}
    .endif
    PLANE_PRODUCTS E, 0
    .if nwO
    PLANE_PRODUCTS O, (4 * nwE)
    .endif
    .set KY, KY + 1
.endm

/* r2 rows of the kernel lie in the picture: the last r2 copies of the code run. */
.macro PRODUCTS_5
    tbh     [pc, r2, lsl #1]
.Lbase\@:
    .hword  0, (.Lfrom1\@ - .Lbase\@) / 2, (.Lfrom2\@ - .Lbase\@) / 2, (.Lfrom3\@ - .Lbase\@) / 2
    .hword  (.Lfrom4\@ - .Lbase\@) / 2, (.Lfrom5\@ - .Lbase\@) / 2
.Lfrom5\@:
    ROW_PRODUCTS
.Lfrom4\@:
    ROW_PRODUCTS
.Lfrom3\@:
    ROW_PRODUCTS
.Lfrom2\@:
    ROW_PRODUCTS
.Lfrom1\@:
    ROW_PRODUCTS
.endm

.macro PRODUCTS_7
    tbh     [pc, r2, lsl #1]
.Lbase\@:
    .hword  0, (.Lfrom1\@ - .Lbase\@) / 2, (.Lfrom2\@ - .Lbase\@) / 2, (.Lfrom3\@ - .Lbase\@) / 2
    .hword  (.Lfrom4\@ - .Lbase\@) / 2, (.Lfrom5\@ - .Lbase\@) / 2, (.Lfrom6\@ - .Lbase\@) / 2
    .hword  (.Lfrom7\@ - .Lbase\@) / 2
.Lfrom7\@:
    ROW_PRODUCTS
.Lfrom6\@:
    ROW_PRODUCTS
.Lfrom5\@:
    ROW_PRODUCTS
.Lfrom4\@:
    ROW_PRODUCTS
.Lfrom3\@:
    ROW_PRODUCTS
.Lfrom2\@:
    ROW_PRODUCTS
.Lfrom1\@:
    ROW_PRODUCTS
.endm

/* ---- outputs: r0 scratch (kernel 3, fast: r3), r1 carried in, r2 pitch, r3 e (kernel 7: lr), r10 M, r11 C, r12 y -------- */

.macro ROUND sum, fast
    .if \fast
    smmlar  \sum, \sum, r10, r11
    .else
    add     r0, r11, \sum, asr #31
    smmlar  \sum, \sum, r10, r0
    .if K == 7
    asr     \sum, \sum, lr
    .else
    asr     \sum, \sum, r3
    .endif
    .endif
    ssat    \sum, #8, \sum
.endm

/* Output number AT of the row; r12 is at output HERE. */
.macro PUT sum, fast
    ROUND   \sum, \fast
    .if AT - HERE == 3
    add     r12, r12, r2, lsl #1
    .set HERE, HERE + 2
    .endif
    .if AT == HERE
    strb    \sum, [r12]
    .elseif AT - HERE == 1
    strb    \sum, [r12, r2]
    .else
    strb    \sum, [r12, r2, lsl #1]
    .endif
    .set AT, AT + 1
.endm

.macro EVEN low, high, fast
    lsr     \low, \low, #21
    bfi     \low, \high, #11, #10
    sub     \low, \low, #0x100000
    PUT     \low, \fast
.endm

.macro ODD last, next_low, fast
    .if (K == 3) && \fast
    ubfx    r3, \next_low, #0, #21
    add     \last, r3, \last, asr #10
    .else
    ubfx    r0, \next_low, #0, #21
    add     \last, r0, \last, asr #10
    .endif
    PUT     \last, \fast
.endm

.macro LAST_ODD last, fast
    .if ENDS
    .if K == 7
    add     \last, r3, \last, asr #10
    .else
    add     \last, lr, \last, asr #10
    .endif
    PUT     \last, \fast
    .elseif Q + N < F
    .if K == 3
    mov     r1, \last
    .else
    strd    r12, \last, [sp, #F_OUT]
    .endif
    .endif
.endm

/* N accumulators from Q on. */
.macro BLOCK fast
    .set N, F - Q
    .if N > 3
    .set N, 3
    .endif
    .set ENDS, 0
    .if Q + N == F
    .set ENDS, TAIL
    .endif
    .set KY, 0
    RANGE   E
    .set FIRST, low
    .if low > high
    .error "a block without even pixels"
    .endif
    .if K == 3
    .if !\fast
    ldr     r0, [sp, #F_ROW]
    .endif
    .else
    .if Q > 0
    ldr     r12, [sp, #F_ROW]
    ldmdb   r12, {r0, r1, r2}
    .endif
    .if FIRST > 0
    add     r0, #(4 * FIRST)
    .endif
    .endif
    .if N == 3
    ldm     sp, {r4-r9}
    .elseif N == 2
    ldm     sp, {r4-r7}
    .else
    ldrd    r4, r5, [sp, #F_START]
    .endif
    .if ENDS
    .if K == 7
    mov     r3, #0x100000
    .else
    mov     lr, #0x100000
    .endif
    .endif
    .if K == 3
    ROW_PRODUCTS
    ROW_PRODUCTS
    ROW_PRODUCTS
    ldr     r2, [sp, #F_PITCH]
    .else
    .if K == 5
    PRODUCTS_5
    .else
    PRODUCTS_7
    .endif
    ldrd    r2, r12, [sp, #F_PITCH]
    .if Q > 0
    ldr     r1, [sp, #F_CARRY]
    .endif
    .endif
    ldrd    r10, r11, [sp, #F_M]
    .if !\fast
    .if K == 7
    ldr     lr, [sp, #F_E]
    .else
    ldr     r3, [sp, #F_E]
    .endif
    .endif
    .if Q > 0
    ODD     r1, r4, \fast
    .endif
    EVEN    r4, r5, \fast
    .if N == 1
    LAST_ODD r5, \fast
    .else
    ODD     r5, r6, \fast
    EVEN    r6, r7, \fast
    .if N == 2
    LAST_ODD r7, \fast
    .else
    ODD     r7, r8, \fast
    EVEN    r8, r9, \fast
    LAST_ODD r9, \fast
    .endif
    .endif
    .set Q, Q + N
.endm

/* ---- void name(const te_depthwise_map_args *args) -------------------------------------------------------------------- */

.macro MAP name, fast
    .section .text.\name, "ax", %progbits
    .p2align 2
    .global \name
    .type \name, %function
    .thumb_func
\name:
    push    {r4-r11, lr}
    sub     sp, #FRAME
    b       .Lsetup\@

.Lchannel\@:
    ldrd    r0, r1, [sp, #F_PACKED]
    .if K == 3
    .set KY, 0
    .rept 3
    TAP     r4, 0, (3 * KY), \fast
    TAP     r5, 1, (3 * KY), \fast
    strd    r4, r5, [sp, #(F_TABLE + 8 * KY)]
    .set KY, KY + 1
    .endr
    adds    r0, #9
    .else
    ldr     r2, [sp, #F_TAPS]
    mov     lr, #K
.Ltaps\@:
    TAP     r4, 0, 0, \fast
    TAP     r5, 1, 0, \fast
    TAP     r6, 2, 0, \fast
    TAP     r7, 3, 0, \fast
    adds    r0, #K
    .if NM == 3
    stmia   r2!, {r4-r6}
    .else
    stmia   r2!, {r4-r7}
    .endif
    subs    lr, #1
    bne     .Ltaps\@
    .endif
    ldmia   r1!, {r2, r4}           /* bias with e in the highest byte, M */
    strd    r0, r1, [sp, #F_PACKED]
    .if \fast
    str     r4, [sp, #F_M]
    .else
    lsr     r6, r2, #24
    str     r6, [sp, #F_E]
    ldr     r5, [sp, #F_ZERO]       /* C = (2 zero + 1) 2^(e - 1) */
    lsl     r5, r5, r6
    asr     r5, r5, #1
    strd    r4, r5, [sp, #F_M]
    lsl     r2, r2, #8              /* doubled */
    asr     r2, r2, #7
    .endif
    lsl     r4, r2, #21             /* start = 2^20 + (bias + 2^20) 2^21 + (bias - 2^20) 2^42 */
    add     r4, r4, #0x100000
    add     r5, r2, #0x100000
    sub     r2, r2, #0x100000
    asr     r5, r5, #11
    add     r5, r5, r2, lsl #10
    strd    r4, r5, [sp, #F_START]
    .if F > 1
    strd    r4, r5, [sp, #(F_START + 8)]
    .endif
    .if F > 2
    strd    r4, r5, [sp, #(F_START + 16)]
    .endif

    ldr     r0, [sp, #F_X]
    add     r8, sp, #F_GATHER
    add     r9, r0, #1
    str     r9, [sp, #F_X]
    ldm     r8, {r1-r7, r12}
.Lgather\@:
    .set EMIT, 1
    GATHER_PIXELS
    add     r0, r4
    cmp     r2, r3
    bne     .Lgather\@
    ldr     r3, [sp, #F_STAGED_END] /* x wraps */
    ldr     r8, [sp, #F_WRAPPED]
    cmp     r2, r3
    itt     ne
    subne   r0, r8
    bne     .Lgather\@

    .if K == 3
    ldr     r0, [sp, #F_BEGIN]
    ldr     r12, [sp, #F_Y]
    add     r1, r12, #1
    str     r1, [sp, #F_Y]
    .if !\fast
    str     r0, [sp, #F_ROW]
    .endif
    .else
    ldr     r1, [sp, #F_Y]
    ldr     r12, [sp, #F_BEGIN]
    str     r1, [sp, #F_OUT]
    add     r1, #1
    str     r1, [sp, #F_Y]
    .endif
.Lrow\@:
    .if K > 3
    ldmia   r12!, {r0, r1, r2}
    str     r12, [sp, #F_ROW]
    .endif
    .set Q, 0
    .set AT, 0
    .set HERE, 0
    .rept (F + 2) / 3
    BLOCK   \fast
    .endr
    ldrd    r1, r2, [sp, #F_STEP]
    add     r12, r1
    .if K == 3
    .if !\fast
    ldr     r0, [sp, #F_ROW]
    .endif
    add     r0, #(S * RS)
    .if !\fast
    str     r0, [sp, #F_ROW]
    .endif
    cmp     r0, r2
    bne     .Lrow\@
    .else
    str     r12, [sp, #F_OUT]
    ldr     r12, [sp, #F_ROW]
    cmp     r12, r2
    bne     .Lrow\@
    .endif
    ldr     r0, [sp, #F_CHANNELS]
    subs    r0, #1
    str     r0, [sp, #F_CHANNELS]
    bne     .Lchannel\@
    add     sp, #FRAME
    pop     {r4-r11, pc}

.Lsetup\@:
    ldr     r1, [r0, #A_PITCH]
    str     r1, [sp, #F_PITCH]
    ldrd    r2, r3, [r0, #A_Y]      /* and the line of outputs */
    str     r2, [sp, #F_Y]
    movs    r4, #HERE
    mls     r2, r4, r1, r3
    ldrd    r3, r4, [r0, #A_BEGIN]  /* and end */
    strd    r2, r4, [sp, #F_STEP]
    str     r3, [sp, #F_BEGIN]
    ldrd    r2, r3, [r0, #A_X]      /* and wrapped */
    strd    r2, r3, [sp, #F_X]
    ldr     r2, [r0, #A_STAGED_END]
    str     r2, [sp, #F_STAGED_END]
    ldrd    r2, r3, [r0, #A_PACKED] /* and constants */
    strd    r2, r3, [sp, #F_PACKED]
    ldrd    r2, r3, [r0, #A_CHANNELS] /* and zero point */
    str     r2, [sp, #F_CHANNELS]
    .if \fast
    str     r3, [sp, #F_C]
    .else
    add     r3, r3, r3
    adds    r3, #1
    str     r3, [sp, #F_ZERO]
    .endif
    ldr     r2, [r0, #A_TAPS]
    str     r2, [sp, #F_TAPS]
    .set EMIT, 0
    GATHER_PIXELS
    ldrd    r4, r5, [r0, #A_LINE]   /* and zero */
    movs    r2, #BASE
    mls     r4, r2, r1, r4
    add     r5, r5, r5, lsl #21
    add     r6, r1, r1, lsl #1
    add     r7, r6, r1, lsl #1
    add     r8, r7, r1, lsl #1
    ldrd    r2, r3, [r0, #A_STAGED] /* and first end */
    add     r0, sp, #F_GATHER
    stm     r0, {r1-r8}
    b       .Lchannel\@
    .size \name, . - \name
.endm

#define TE_MAP(k, w) \
    SHAPE k, 1, w, ((k - 1) / 2) ; \
    MAP te_depthwise_map_##k##_##w, 0 ; \
    MAP te_depthwise_map_##k##_##w##_fast, 1 ;
#define TE_MAP_BY_2(k, w, p) \
    SHAPE k, 2, w, p ; \
    MAP te_depthwise_map_##k##_##w##_by_2_##p, 0 ; \
    MAP te_depthwise_map_##k##_##w##_by_2_##p##_fast, 1 ;

TE_DEPTHWISE_MAPS(TE_MAP, TE_MAP_BY_2)

#endif
