/* Convolutions, fully connected layers and pools of float32.
 *
 * A sum begins with zero; the products are added one after the other, rows of the window first, then its columns, then
 * channels (as they lie in memory), and last the bias: sum = sum + x * w, two roundings, as in TFLite's reference
 * kernels. The result is clamped to min .. max. All constants are read-only; x and y are HWC.
 */
#ifndef TE_CONV_F32_H
#define TE_CONV_F32_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* What makes outputs of columns of values. */
typedef struct te_outputs_f32 {
    /* Of each group: fours of output channels, products in order, [products][4]; then one by one those that are left,
     * [products]. */
    const float *weights;
    const float *bias; /* [channels] */
    uint32_t channels;
    float min, max;
} te_outputs_f32;

typedef struct te_conv_f32_params {
    te_hwc in, out;
    te_window window;
    uint16_t groups; /* of channels, each convolved on its own */
    uint16_t depth;  /* in.c / groups */
    te_outputs_f32 outputs;
} te_conv_f32_params;

/* Blocks of four pixels, counted through all rows, and those left over one by one: first what is under their windows is
 * read (of each group), then their outputs are written. Around the picture lie zeros.
 * scratch: 4 * window.kh * window.kw * depth floats. */
void te_conv2d_f32(const te_conv_f32_params *p, const float *x, float *y, void *scratch);

typedef struct te_dense_f32_params {
    uint32_t rows, in; /* y[rows][channels] of x[rows][in] */
    te_outputs_f32 outputs;
} te_dense_f32_params;

/* Fully connected layers; convolutions of 1x1, of which each pixel is a row. Blocks of four rows as well, but reading
 * and writing alternate within a block. */
void te_dense_f32(const te_dense_f32_params *p, const float *x, float *y);

typedef struct te_depthwise_f32_params {
    te_hwc in, out; /* out.c = in.c * multiplier */
    te_window window;
    uint16_t multiplier;  /* output channel o reads input channel o / multiplier */
    const float *weights; /* [kh][kw][out.c] */
    const float *bias;    /* [out.c] */
    float min, max;
} te_depthwise_f32_params;

/* Pixel by pixel; padding adds nothing. */
void te_depthwise_f32(const te_depthwise_f32_params *p, const float *x, float *y);

typedef struct te_pool_f32_params {
    te_hwc in, out;
    te_window window; /* meets the picture everywhere */
    float min, max;
} te_pool_f32_params;

/* Pixel by pixel; padding counts as nothing. The average is the sum, in order, divided by the number of pixels. */
void te_average_pool_f32(const te_pool_f32_params *p, const float *x, float *y);
void te_max_pool_f32(const te_pool_f32_params *p, const float *x, float *y);

TE_END_C

#endif
