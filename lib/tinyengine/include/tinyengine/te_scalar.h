/* Convolutions and fully connected layers for cores without DSP extension: direct int8 loops.
 *
 * acc(o) = start[o] + sum x * w, start = bias - in_zero * (sum of the output's weights); a window's values beyond the
 * picture are in_zero. y = acc, rounded by te_requant_fixed.h's "exact" ("once" for fully connected layers), from one
 * quad of constants per output: start, M, C, e.
 *
 * One input serves four filters: five loads for four products. In the loop, x, the filters, an input and a weight, and
 * four sums; Armv6-M keeps the sums in its high registers, to which it can still add. RISC-V has registers for two pixels,
 * which share each weight: six loads for eight products. BUDGET, instructions per product: Armv7-M 2.4, Armv6-M 3.8,
 * RISC-V 3.1 (a product and its sum are two), C 2.7. Depthwise: two neighbouring outputs share each weight.
 */
#ifndef TE_SCALAR_H
#define TE_SCALAR_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_scalar_params {
    te_hwc in, out;
    te_window window;
    int16_t in_zero, min, max;
    const int8_t *weights;  /* [out.c][kh][kw][in.c]; depthwise: [out.c][kh][kw] */
    const int32_t *outputs; /* [out.c][4] */
} te_scalar_params;

/* Convolution, output pixel by output pixel. scratch: the kh * kw * in.c values under a window. */
void te_conv_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y, void *scratch);

/* The same for two pixels at a time. scratch: the values under two windows. */
void te_conv_pairs_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y, void *scratch);

/* The same for kernels of one pixel without padding. */
void te_pointwise_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y);

#define TE_SCALAR_TAPS 49 /* of a depthwise kernel, at most */

/* Depthwise convolution of multiplier 1 as te_depthwise_planar_s8 does it: y == x or disjoint, the same scratch. No
 * dilation. */
void te_depthwise_scalar_s8(const te_scalar_params *p, const int8_t *x, int8_t *y, void *scratch);

typedef struct te_dense_scalar_params {
    uint32_t rows, in, out; /* y[rows][out] = x[rows][in] * weights^T */
    int16_t min, max;
    const int8_t *weights;  /* [out][in] */
    const int32_t *outputs; /* [out][4] */
} te_dense_scalar_params;

/* Fully connected layer, four outputs at a time. */
void te_dense_scalar_s8(const te_dense_scalar_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
