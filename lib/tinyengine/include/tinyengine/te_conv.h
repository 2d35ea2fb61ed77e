/* Convolutions and fully connected layers: portable kernels for any kernel, stride, dilation and padding.
 *
 * acc(o) = bias[o] + sum (x - in_zero) * w over the taps inside the picture; y = requant(acc).
 * All constants are read-only; x and y are HWC. Memory: see each kernel for how y may overlap x.
 */
#ifndef TE_CONV_H
#define TE_CONV_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_conv2d_params {
    te_hwc in, out;
    te_window window;
    int16_t in_zero;
    const int8_t *weights; /* [out.c][kh][kw][in.c] */
    const int32_t *bias;   /* [out.c] */
    te_requant requant;
} te_conv2d_params;

/* Convolution, output row by output row: row r of y is complete before the input rows of r + 1 are read. */
void te_conv2d_s8(const te_conv2d_params *p, const int8_t *x, int8_t *y);

typedef struct te_depthwise_params {
    te_hwc in, out; /* out.c = in.c * multiplier */
    te_window window;
    uint16_t multiplier; /* output channel o reads input channel o / multiplier */
    int16_t in_zero;
    const int8_t *weights; /* te_depthwise_s8: [kh][kw][out.c]; te_depthwise_planar_s8: [out.c][kh][kw] */
    const int32_t *bias; /* [out.c]; te_depthwise_planar_s8: less in_zero * (sum of the channel's weights) */
    te_requant requant;
} te_depthwise_params;

/* Depthwise convolution with any multiplier, output row by output row. */
void te_depthwise_s8(const te_depthwise_params *p, const int8_t *x, int8_t *y);

/* Depthwise convolution with multiplier 1, channel by channel, so that y may be x: the channel's plane is
 * copied to scratch with its padding, then its outputs replace it. y == x or disjoint.
 *
 * scratch: rows * columns bytes, rows = (out.h - 1) * sh + (kh - 1) * dh + 1, columns likewise. */
void te_depthwise_planar_s8(const te_depthwise_params *p, const int8_t *x, int8_t *y, void *scratch);

typedef struct te_fully_connected_params {
    uint32_t rows, in, out; /* y[rows][out] = x[rows][in] * weights^T */
    const int8_t *weights;  /* [out][in] */
    const int32_t *bias;    /* [out], less in_zero * (sum of the output's weights) */
    te_requant requant;
} te_fully_connected_params;

/* Fully connected layer, output by output. */
void te_fully_connected_s8(const te_fully_connected_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
