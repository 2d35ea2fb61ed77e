/* Inner kernels of te_conv_fast.h for Armv7E-M: layouts, registers and budgets are described there. */
#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)

#include "../support/te_dsp.inc"

/* Words of rounding per pair of channels, as in te_conv_fast.h. */
#define TE_CONV_ROUND_FAST 2
#define TE_CONV_ROUND_EXACT 3
#define TE_CONV_ROUND_WIDE 10

/* Groups of 4 k per pass of the product's loop, a power of two; up to one less need no loop. */
#define TE_CONV_UNROLL 16

#define TE_CONV_SMALL_UNROLL 4

/* The same for the odd pixel that is left over. */
#define TE_CONV_ODD_UNROLL 4

/* Bytes of code of one group: only 32-bit instructions, so that the loops can be entered at any group. */
#define GROUP_CODE_BYTES 40
#define ODD_GROUP_CODE_BYTES 24

/* ---- product --------------------------------------------------------------------------------------------------- */

.macro GROUP
    ldmia.w r0!, {r2-r5}
    ldmia.w r1!, {r6-r9}
    smlad   r10, r2, r6, r10
    smlad   r11, r3, r6, r11
    smlad   r12, r2, r7, r12
    smlad   lr, r3, r7, lr
    smlad   r10, r4, r8, r10
    smlad   r11, r5, r8, r11
    smlad   r12, r4, r9, r12
    smlad   lr, r5, r9, lr
.endm

/* The first group comes with the biases: both pixels' sums start from one, no moves. */
.macro LOAD_FIRST_GROUP
    ldmia.w r0!, {r2-r5}
    ldmia.w r1!, {r6-r10, r12}
.endm

.macro FIRST_GROUP
    LOAD_FIRST_GROUP
    smlad   r11, r3, r6, r10
    smlad   r10, r2, r6, r10
    smlad   lr, r3, r7, r12
    smlad   r12, r2, r7, r12
    smlad   r10, r4, r8, r10
    smlad   r11, r5, r8, r11
    smlad   r12, r4, r9, r12
    smlad   lr, r5, r9, lr
.endm

.macro ODD_PRODUCTS
    smlad   r10, r2, r6, r10
    smlad   r12, r2, r7, r12
    smlad   r10, r4, r8, r10
    smlad   r12, r4, r9, r12
.endm

.macro ODD_GROUP
    ldmia.w r0!, {r2-r5}
    ldmia.w r1!, {r6-r9}
    ODD_PRODUCTS
.endm

/* ---- rounding: sums in r10 r11 (channel 0) r12 lr (channel 1), constants at r1; leaves r1 = wide and the base of the
 * outputs in `base` --------------------------------------------------------------------------------------------- */

.macro ROUND_EXACT_ONE sum, m, c, doubled
    add     r9, \c, \sum, asr #31
    .if !\doubled
    lsl     \sum, \sum, #1
    .endif
    smmlar  \sum, \sum, \m, r9
.endm

.macro ROUND_EXACT doubled
    ldmia   r1, {r1-r8}             /* wide M0 M1 C0 C1 e0 e1 base */
    ROUND_EXACT_ONE r10, r2, r4, \doubled
    ROUND_EXACT_ONE r11, r2, r4, \doubled
    ROUND_EXACT_ONE r12, r3, r5, \doubled
    ROUND_EXACT_ONE lr, r3, r5, \doubled
    asr     r10, r10, r6
    asr     r11, r11, r6
    asr     r12, r12, r7
    asr     lr, lr, r7
.endm

.macro ROUND_FAST unused
    ldmia   r1, {r1-r4, r8}         /* wide M0 M1 zero base */
    smmlar  r10, r10, r2, r4
    smmlar  r11, r11, r2, r4
    smmlar  r12, r12, r3, r4
    smmlar  lr, lr, r3, r4
.endm

.macro ROUND_WIDE_ONE sum           /* M C e l s in r2-r6 */
    and     r8, r6, \sum, asr #31
    add     r8, r8, r3
    lsl     r9, \sum, r5
    smmlar  \sum, r9, r2, r8
    asr     \sum, \sum, r4
.endm

.macro ROUND_WIDE unused
    ldr     r7, [r1], #4            /* wide */
    ldmia   r1!, {r2-r6}
    ROUND_WIDE_ONE r10
    ROUND_WIDE_ONE r11
    ldmia   r1!, {r2-r6}
    ROUND_WIDE_ONE r12
    ROUND_WIDE_ONE lr
    ldr     r8, [r1]
    mov     r1, r7
.endm

/* int16 (te_layers_s16.h). */
.macro ROUND_SHORT unused
    ldmia   r1, {r1-r8}             /* wide M0 M1 C0 C1 e0 e1 base */
    smmla   r10, r10, r2, r4
    smmla   r11, r11, r2, r4
    smmla   r12, r12, r3, r5
    smmla   lr, lr, r3, r5
    asr     r10, r10, r6
    asr     r11, r11, r6
    asr     r12, r12, r7
    asr     lr, lr, r7
.endm

/* ---- tiles ----------------------------------------------------------------------------------------------------- */

#define F_ENTRY 0       /* where a tile goes on after its first group, and where the odd pixel does */
#define F_WIDE_END 8    /* end of the widened weights */
#define F_COLUMNS 12
#define F_WIDE 16
#define F_BASE 20       /* output of the channel pair at the last pixel pair: offsets are relative to it */
#define F_WEIGHTS 24
#define F_LEFT 28       /* channels that are left, this pair included */
#define F_PAIRS 32
#define F_ODD 36
#define F_GROUPS 40     /* without the first */
#define F_ZERO 44       /* fast: zero point of the output; exact: C of e = 1 */
#define F_REST 48       /* where whole passes of the loop go on */
#define F_LOOP_END 52   /* end of the widened weights of whole passes */
#define FRAME 60

/* One group of 4 k of two channels, and two groups: bytes at r0 -> int16 pairs at r1. */
.macro WIDEN_ONE
    ldmia   r0!, {r3, r4}
    sxtb16  r7, r3
    sxtb16  r8, r4
    sxtb16  r9, r3, ror #8
    sxtb16  r10, r4, ror #8
    stmia   r1!, {r7-r10}
.endm

.macro WIDEN_TWO
    ldmia.w r0!, {r3, r4, r11, r12}
    sxtb16  r5, r3
    sxtb16  r6, r4
    sxtb16  r7, r3, ror #8
    sxtb16  r8, r4, ror #8
    sxtb16  r9, r11
    sxtb16  r10, r12
    sxtb16  r11, r11, ror #8
    sxtb16  r12, r12, ror #8
    stmia   r1!, {r5-r12}
.endm

/* Rounding constants from flash to behind the widened weights, between wide (r2) and the base of the outputs. */
.macro COPY_ROUND words
    .if \words == TE_CONV_ROUND_FAST
    ldrd    r2, r6, [sp, #F_WIDE]
    ldmia   r0!, {r3, r4}
    ldr     r5, [sp, #F_ZERO]
    stmia   r1!, {r2-r6}
    .elseif \words == TE_CONV_ROUND_EXACT
    ldrd    r2, r9, [sp, #F_WIDE]
    ldmia   r0!, {r3, r4, r10}
    ldr     r11, [sp, #F_ZERO]
    uxtb    r7, r10
    uxtb    r8, r10, ror #8
    lsl     r5, r11, r7
    lsl     r6, r11, r8
    adds    r7, #1
    add     r8, r8, #1
    stmia   r1!, {r2-r9}
    .else
    ldr     r2, [sp, #F_WIDE]
    ldmia.w r0!, {r3-r12}
    ldr     lr, [sp, #F_BASE]
    stmia   r1!, {r2-r12, lr}
    .endif
.endm

/* void name(const te_conv_tiles_args *args); small: little code, a short loop that is entered at any group, and the odd
 * pixel as its own partner. bytes: of an output, in which channels are counted. */
.macro TILES name, round, argument, round_words, small=0, bytes=1
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #FRAME
    ldmia   r0, {r1-r9}             /* columns weights wide out pairs odd channels groups zero */
    .if \round_words == TE_CONV_ROUND_EXACT
    lsl     r9, r9, #1
    add     r9, r9, #1
    .endif
    str     r9, [sp, #F_ZERO]
    str     r1, [sp, #F_COLUMNS]
    subs    r1, r5, #1
    mul     r1, r1, r7
    add     r4, r4, r1, lsl #1
    strd    r3, r4, [sp, #F_WIDE]
    strd    r2, r7, [sp, #F_WEIGHTS]
    strd    r5, r6, [sp, #F_PAIRS]
    add     r2, r3, r8, lsl #4
    adds    r2, #8
    str     r2, [sp, #F_WIDE_END]
    subs    r8, #1
    str     r8, [sp, #F_GROUPS]
    .if \small
    and     r4, r8, #(TE_CONV_SMALL_UNROLL - 1)
    movs    r5, #GROUP_CODE_BYTES
    adr.w   r1, .Lcheck\@
    mls     r1, r4, r5, r1
    orr     r1, r1, #1
    str     r1, [sp, #F_ENTRY]
    .else
    and     r4, r8, #(TE_CONV_UNROLL - 1)
    movs    r5, #GROUP_CODE_BYTES
    adr.w   r1, .Lround\@
    mls     r1, r4, r5, r1
    orr     r1, r1, #1
    sub     r2, r2, r4, lsl #4
    strd    r1, r2, [sp, #F_REST]
    cmp     r8, r4
    beq     .Lentry\@
    adr.w   r1, .Lloop\@
    orr     r1, r1, #1
.Lentry\@:
    and     r3, r8, #(TE_CONV_ODD_UNROLL - 1)
    movs    r4, #ODD_GROUP_CODE_BYTES
    adr.w   r2, .Lodd_check\@
    mls     r2, r3, r4, r2
    orr     r2, r2, #1
    strd    r1, r2, [sp, #F_ENTRY]
    .endif

.Lchannels\@:
    ldr     r0, [sp, #F_WEIGHTS]
    ldr     r1, [sp, #F_WIDE]
    ldmia.w r0!, {r9, r10}          /* biases */
    ldmia.w r0!, {r11, r12}         /* first group */
    sxtb16  r5, r11
    sxtb16  r6, r12
    sxtb16  r7, r11, ror #8
    sxtb16  r8, r12, ror #8
    stmia   r1!, {r5-r10}
    ldr     r2, [sp, #F_GROUPS]
    .if \small
    cbz     r2, .Lwidened\@
.Lwiden\@:
    WIDEN_ONE
    subs    r2, #1
    bne     .Lwiden\@
    .else
    lsrs    r2, r2, #1
    bcc     .Leven\@
    WIDEN_ONE
.Leven\@:
    lsrs    r2, r2, #1
    bcc     .Lfours\@
    WIDEN_TWO
.Lfours\@:
    cbz     r2, .Lwidened\@
.Lwiden\@:
    WIDEN_TWO
    subs    r2, #1
    WIDEN_TWO
    bne     .Lwiden\@
    .endif
.Lwidened\@:
    COPY_ROUND \round_words
    str     r0, [sp, #F_WEIGHTS]
    mov     r1, r2
    ldr     r0, [sp, #F_COLUMNS]
    ldr     r2, [sp, #F_PAIRS]
    cmp     r2, #0
    beq.w   .Lodd\@

.Ltile\@:
    FIRST_GROUP
    ldr     pc, [sp, #F_ENTRY]
    .p2align 2
    .if \small
.Lloop\@:
    .rept TE_CONV_SMALL_UNROLL
    GROUP
    .endr
.Lcheck\@:
    ldr     r2, [sp, #F_WIDE_END]
    cmp     r1, r2
    bne     .Lloop\@
    .else
.Lloop\@:                           /* whole passes */
    .rept TE_CONV_UNROLL
    GROUP
    .endr
    ldr     r2, [sp, #F_LOOP_END]
    cmp     r1, r2
    bne     .Lloop\@
    ldr     pc, [sp, #F_REST]
    .p2align 2
    .rept TE_CONV_UNROLL - 1        /* the rest: entered so that it ends at .Lround */
    GROUP
    .endr
    .endif

.Lround\@:
    \round  \argument
    ldrd    r4, r5, [r0], #8        /* where the two pixels go */
    ssat    r10, #(8 * \bytes), r10
    ssat    r11, #(8 * \bytes), r11
    ssat    r12, #(8 * \bytes), r12
    ssat    lr, #(8 * \bytes), lr
    .if \bytes == 1
    bfi     r10, r12, #8, #24
    bfi     r11, lr, #8, #24
    strh    r10, [r8, r4]
    strh    r11, [r8, r5]
    .else
    pkhbt   r10, r10, r12, lsl #16
    pkhbt   r11, r11, lr, lsl #16
    str     r10, [r8, r4]
    str     r11, [r8, r5]
    .endif
    cmp     r4, #0
    blt     .Ltile\@
    bne     .Lnext\@                /* that was the odd pixel */

.Lodd\@:
    ldr     r2, [sp, #F_ODD]
    cmp     r2, #0
    .if \small
    bne     .Ltile\@
    .else
    beq     .Lnext\@
    LOAD_FIRST_GROUP
    ODD_PRODUCTS
    ldr     pc, [sp, #(F_ENTRY + 4)]
    .p2align 2
.Lodd_groups\@:
    .rept TE_CONV_ODD_UNROLL
    ODD_GROUP
    .endr
.Lodd_check\@:
    ldr     r2, [sp, #F_WIDE_END]
    cmp     r1, r2
    bne     .Lodd_groups\@
    mov     r11, r10
    mov     lr, r12
    b       .Lround\@
    .endif

.Lnext\@:                           /* two channels on; an odd number ends with (n-2, n-1) */
    ldr     r4, [sp, #F_BASE]
    ldr     r5, [sp, #F_LEFT]
    adds    r4, #(2 * \bytes)
    subs    r5, #(2 * \bytes)
    ble     .Ldone\@
    cmp     r5, #\bytes
    it      eq
    subeq   r4, #\bytes
    str     r4, [sp, #F_BASE]
    str     r5, [sp, #F_LEFT]
    b       .Lchannels\@
.Ldone\@:
    add     sp, #FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    TILES te_conv_tiles_wide, ROUND_WIDE, , TE_CONV_ROUND_WIDE
    TILES te_conv_tiles_fast, ROUND_FAST, , TE_CONV_ROUND_FAST
    TILES te_conv_tiles_exact, ROUND_EXACT, 0, TE_CONV_ROUND_EXACT
    TILES te_conv_tiles_exact_doubled, ROUND_EXACT, 1, TE_CONV_ROUND_EXACT

    TILES te_conv_tiles_small_fast, ROUND_FAST, , TE_CONV_ROUND_FAST, 1
    TILES te_conv_tiles_small_exact, ROUND_EXACT, 0, TE_CONV_ROUND_EXACT, 1
    TILES te_conv_tiles_small_wide, ROUND_WIDE, , TE_CONV_ROUND_WIDE, 1

    TILES te_conv_tiles_short, ROUND_SHORT, , TE_CONV_ROUND_EXACT, 0, 2

/* ---- eight input channels -------------------------------------------------------------------------------------- */

#define TE_CONV_NARROW_UNROLL 8

/* One output channel: its constants from r1 to r6-r12 (exact: and lr), the pixel in r2-r5. */
.macro NARROW_FAST
    ldmia.w r1!, {r6-r12}           /* bias w w w w M zero */
    smlad   r6, r2, r7, r6
    smlad   r6, r3, r8, r6
    smlad   r6, r4, r9, r6
    smlad   r6, r5, r10, r6
    smmlar  r6, r6, r11, r12
    ssat    r6, #8, r6
    strb.w  r6, [r0], #1
.endm

.macro NARROW_EXACT
    ldmia.w r1!, {r6-r12, lr}       /* bias w w w w M C e */
    smlad   r6, r2, r7, r6
    smlad   r6, r3, r8, r6
    smlad   r6, r4, r9, r6
    smlad   r6, r5, r10, r6
    add.w   r7, r12, r6, asr #31
    smmlar  r6, r6, r11, r7
    asr.w   r6, r6, lr
    ssat    r6, #8, r6
    strb.w  r6, [r0], #1
.endm

#define N_WEIGHTS 0
#define N_X 4
#define N_X_END 8
#define N_ENTRY 12
#define N_WEIGHTS_END 16
#define N_FRAME 20

/* void name(const te_conv_tiles_args *args) */
.macro NARROW name, channel, words, code_bytes, doubled
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #N_FRAME
    ldmia   r0, {r1, r2, r3, r4, r5, r6, r7} /* pixels weights . out pairs . channels */
    mov     r0, r4
    add     r5, r1, r5, lsl #3
    strd    r2, r1, [sp, #N_WEIGHTS]
    movs    r4, #(4 * \words)
    mla     r8, r7, r4, r2
    str     r8, [sp, #N_WEIGHTS_END]
    rsb     r7, r7, #0              /* skip what the first pass has too many of */
    and     r7, r7, #(TE_CONV_NARROW_UNROLL - 1)
    movs    r4, #\code_bytes
    adr.w   r6, .Lchannels\@
    mla     r6, r7, r4, r6
    orr     r6, r6, #1
    strd    r5, r6, [sp, #N_X_END]
.Lpixel\@:
    ldrd    r1, r6, [sp, #N_WEIGHTS]
    ldmia   r6!, {r7, r8}
    str     r6, [sp, #N_X]
    sxtb16  r2, r7
    sxtb16  r3, r7, ror #8
    sxtb16  r4, r8
    sxtb16  r5, r8, ror #8
    .if \doubled
    .irp    r, r2, r3, r4, r5
    sadd16  \r, \r, \r
    .endr
    .endif
    .if !\doubled
    ldr     lr, [sp, #N_WEIGHTS_END]
    .endif
    ldr     pc, [sp, #N_ENTRY]
    .p2align 2
.Lchannels\@:
    .rept TE_CONV_NARROW_UNROLL
    \channel
    .endr
    .if \doubled
    ldr     r7, [sp, #N_WEIGHTS_END]
    cmp     r1, r7
    .else
    cmp     r1, lr
    .endif
    bne     .Lchannels\@
    ldrd    r6, r7, [sp, #N_X]
    cmp     r6, r7
    bne     .Lpixel\@
    add     sp, #N_FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    NARROW te_conv_narrow_fast, NARROW_FAST, 7, 32, 0
    NARROW te_conv_narrow_exact, NARROW_EXACT, 8, 40, 1

/* ---- gather ---------------------------------------------------------------------------------------------------- */

#define G_RUNS 0
#define G_COUNT 4
#define G_TAIL 8
#define G_PAIRS 12
#define G_COLUMN_BYTES 16
#define G_TAIL_OFFSET 20
#define G_NEXT 24
#define G_FRAME 32         /* lr holds the base of the runs' offsets */

/* 4 bytes of p0 (r4) and p1 (r5) -> one group at r3. */
.macro GATHER_ONE doubled
    ldr     r6, [r4], #4
    ldr     r7, [r5], #4
    sxtb16  r8, r6, ror #8
    sxtb16  r9, r7, ror #8
    sxtb16  r6, r6
    sxtb16  r7, r7
    .if \doubled
    sadd16  r8, r8, r8
    sadd16  r9, r9, r9
    sadd16  r6, r6, r6
    sadd16  r7, r7, r7
    .endif
    stmia   r3!, {r6-r9}
.endm

/* A byte each -> a half of the tail at r10. */
.macro GATHER_TAIL doubled
    ldrsb   r6, [r4], #1
    ldrsb   r7, [r5], #1
    .if \doubled
    lsl     r6, r6, #1
    lsl     r7, r7, #1
    .endif
    strh    r6, [r10]
    strh    r7, [r10, #4]
    add     r10, r10, r11
    eor     r11, r11, #4
.endm

/* void name(const te_conv_gather_args *args) */
.macro GATHER name, doubled
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #G_FRAME
    ldr     lr, [r0], #4
    ldmia   r0, {r4-r10}            /* runs n_runs run_groups run_tail columns pairs groups */
    mov     r2, r6
    mov     r3, r8
    lsl     r10, r10, #4
    add     r10, r10, #8            /* the outputs' offsets */
    mul     r11, r5, r6
    lsl     r11, r11, #4
    strd    r4, r5, [sp, #G_RUNS]
    strd    r7, r9, [sp, #G_TAIL]
    strd    r10, r11, [sp, #G_COLUMN_BYTES]

.Lpair\@:
    ldrd    r0, r1, [sp, #G_RUNS]
    ldrd    r6, r10, [sp, #G_COLUMN_BYTES]
    add     r10, r10, r3            /* the tail */
    add     r6, r6, r3
    str     r6, [sp, #G_NEXT]
    movs    r11, #2                 /* bytes to the tail's next value: 2, 6, 2, 6... */
.Lrun\@:
    ldmia   r0, {r4-r6}             /* p0 p1 step */
    add     r7, r4, r6
    add     r8, r5, r6
    strd    r7, r8, [r0], #12
    add     r4, r4, lr
    add     r5, r5, lr
    lsrs    r12, r2, #1
    beq     .Lsingle\@
.Ltwice\@:
    GATHER_ONE \doubled
    GATHER_ONE \doubled
    subs    r12, #1
    bne     .Ltwice\@
.Lsingle\@:
    tst     r2, #1
    beq     .Ltail\@
    GATHER_ONE \doubled
.Ltail\@:
    ldr     r12, [sp, #G_TAIL]
    cmp     r12, #0
    beq     .Lrun_done\@
.Lbyte\@:
    GATHER_TAIL \doubled
    subs    r12, #1
    bne     .Lbyte\@
.Lrun_done\@:
    subs    r1, #1
    bne     .Lrun\@
    ldr     r3, [sp, #G_NEXT]
    ldr     r12, [sp, #G_PAIRS]
    subs    r12, #1
    str     r12, [sp, #G_PAIRS]
    bne     .Lpair\@
    add     sp, #G_FRAME
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* 8 bytes of p0 (r0) and p1 (r1) -> two groups at r3. */
.macro GATHER_TWO doubled
    ldmia   r0!, {r4, r8}
    ldmia   r1!, {r5, r9}
    WIDEN_COLUMNS \doubled
.endm

/* Words of p0 in r4 r8, of p1 in r5 r9 -> two groups at r3. */
.macro WIDEN_COLUMNS doubled
    sxtb16  r6, r4, ror #8
    sxtb16  r7, r5, ror #8
    sxtb16  r10, r8, ror #8
    sxtb16  r11, r9, ror #8
    sxtb16  r4, r4
    sxtb16  r5, r5
    sxtb16  r8, r8
    sxtb16  r9, r9
    .if \doubled
    .irp    r, r4, r5, r6, r7, r8, r9, r10, r11
    sadd16  \r, \r, \r
    .endr
    .endif
    stmia   r3!, {r4-r11}
.endm

/* void name(const te_conv_gather_args *args): r0 p0, r1 p1, r2 from the end of a pixel to the next pair, r3 columns,
 * r4-r11 data, r12 passes, lr groups. */
.macro GATHER_PIXELS name, doubled
FUNCTION \name
    push    {r4-r11, lr}
    sub     sp, #4
    ldmia   r0, {r1, r2}            /* base runs */
    ldr     r3, [r0, #20]           /* columns */
    ldr     r9, [r0, #24]           /* pairs */
    ldr     lr, [r0, #28]           /* groups */
    ldmia   r2, {r4-r6}             /* p0 p1 step */
    mla     r7, r9, r6, r4
    mla     r8, r9, r6, r5
    strd    r7, r8, [r2]
    add     r0, r1, r4
    add     r1, r1, r5
    sub     r2, r6, lr, lsl #2
    movs    r7, #8
    add     r7, r7, lr, lsl #4
    mla     r7, r7, r9, r3
    str     r7, [sp]                /* end of the columns */
.Lpair\@:
    lsrs    r12, lr, #1
    bcc     .Leven\@
    ldr     r4, [r0], #4
    ldr     r5, [r1], #4
    sxtb16  r6, r4, ror #8
    sxtb16  r7, r5, ror #8
    sxtb16  r4, r4
    sxtb16  r5, r5
    .if \doubled
    .irp    r, r4, r5, r6, r7
    sadd16  \r, \r, \r
    .endr
    .endif
    stmia   r3!, {r4-r7}
.Leven\@:
    lsrs    r12, r12, #1
    bcs     .Lmiddle\@
    beq     .Lpixel\@
.Lfour\@:
    subs    r12, #1
    GATHER_TWO \doubled
.Lmiddle\@:
    GATHER_TWO \doubled
    bne     .Lfour\@
.Lpixel\@:
    ldr     r12, [sp]
    add     r0, r0, r2
    add     r1, r1, r2
    adds    r3, #8
    cmp     r3, r12
    bne     .Lpair\@
    add     sp, #4
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

/* void name(const te_conv_gather_args *args): r0-r2 the three rows of p0, p1 is 6 bytes further; r3 columns, r12
 * their end. */
.macro GATHER_RGB name, doubled
FUNCTION \name
    push    {r4-r11, lr}
    ldr     lr, [r0], #4
    ldr     r4, [r0]                /* runs */
    ldr     r3, [r0, #16]           /* columns */
    ldr     r5, [r0, #20]           /* pairs */
    movs    r6, #120
    mla     r12, r5, r6, r3
    movs    r6, #12
    mul     r6, r6, r5
    .irp    row, 0, 1, 2
    ldrd    r7, r8, [r4, #(12 * \row)]
    add     r\row, lr, r7
    add     r7, r7, r6
    add     r8, r8, r6
    strd    r7, r8, [r4, #(12 * \row)]
    .endr
.Lpair\@:
    .irp    row, r0, r1, r2
    ldr     r4, [\row]
    ldr     r8, [\row, #4]
    ldr     r5, [\row, #6]
    ldr     r9, [\row, #10]
    WIDEN_COLUMNS \doubled
    .endr
    ldrsb   r4, [r0, #8]
    ldrsb   r6, [r1, #8]
    ldrsb   r5, [r0, #14]
    ldrsb   r7, [r1, #14]
    pkhbt   r4, r4, r6, lsl #16
    pkhbt   r5, r5, r7, lsl #16
    ldrsb   r6, [r2, #8]
    ldrsb   r7, [r2, #14]
    .if \doubled
    .irp    r, r4, r5, r6, r7
    sadd16  \r, \r, \r
    .endr
    .endif
    stmia   r3!, {r4-r7}
    adds    r0, #12
    adds    r1, #12
    adds    r2, #12
    adds    r3, #8
    cmp     r3, r12
    bne     .Lpair\@
    pop     {r4-r11, pc}
    .size \name, . - \name
.endm

    GATHER te_conv_gather, 0
    GATHER te_conv_gather_doubled, 1
    GATHER_PIXELS te_conv_gather_pixels, 0
    GATHER_PIXELS te_conv_gather_pixels_doubled, 1
    GATHER_RGB te_conv_gather_rgb_by_2, 0
    GATHER_RGB te_conv_gather_rgb_by_2_doubled, 1

#endif

#ifdef __ELF__
.section .note.GNU-stack,"",%progbits
#endif
