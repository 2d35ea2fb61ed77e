/* Layers of int16 activations with int8 weights whose sums fit 32 bits, rounded by a multiplier of 16 bits (biases
 * of 64 bits in the file), or once (fully connected layers). What they compute: te_int16.h.
 *
 * CONVOLUTION: the blocks, columns, weights and registers of te_conv_fast.h, with two differences. Sizes of `conv`
 * are bytes: channels count twice. COLUMNS hold the values of a receptive field as they lie in memory, two to a word:
 * (k0,k1) of p0 | (k0,k1) of p1 | (k2,k3) of p0 | (k2,k3) of p1, so the bytes of four weights are k0 k2 k1 k3. All runs
 * follow each other without tails. Rounding: y = (sum * M + (C << 32)) >> 32 >> e, C = 2^(e-1), M the multiplier of
 * 16 bits shifted left by 16: SMMLA.
 *
 * BUDGET of te_conv_s16: 10 instructions per 16 MACs, 20 per 4 outputs, 11 per 16 weights and block; gather: 7 per 4
 * values. te_depthwise_s16: 12 per 4 MACs and 30 per output; te_dense_s16: 25 per 16 MACs and 45 per output.
 */
#ifndef TE_LAYERS_S16_H
#define TE_LAYERS_S16_H

#include "tinyengine/te_conv_fast.h"

TE_BEGIN_C

te_conv_gather_fn te_conv_gather_s16;
te_conv_tiles_fn te_conv_tiles_short;

typedef struct te_conv_s16_params {
    te_conv_fast_params conv;
    int16_t min, max;
} te_conv_s16_params;

/* Block by block, as te_conv_fast_s8; the same scratch. */
void te_conv_s16(const te_conv_s16_params *p, const int16_t *x, int16_t *y, void *scratch);

typedef struct te_depthwise_s16_params {
    te_hwc in, out; /* multiplier 1 */
    te_window window;
    int16_t min, max;
    const uint32_t *weights;  /* [channels / 4, rounded up][kh][kw], a byte per channel */
    const int32_t *constants; /* [channels][4]: bias, M, C, e */
} te_depthwise_s16_params;

/* Pixel by pixel, four channels at a time, each written when its pixels have been read. */
void te_depthwise_s16(const te_depthwise_s16_params *p, const int16_t *x, int16_t *y);

/* Of an output: its bias, and the rest as te_scale_real takes it. */
typedef struct te_dense_s16_output {
    int64_t factor;
    int32_t bias;
    int16_t down, up;
} te_dense_s16_output;

typedef struct te_dense_s16_params {
    uint32_t rows, in, out;
    int16_t min, max;
    const uint32_t *weights; /* [out / 4, rounded up][in / 4, rounded up][4], bytes of inputs 0 2 1 3 */
    const te_dense_s16_output *outputs;
} te_dense_s16_params;

/* Row by row, four outputs at a time. */
void te_dense_s16(const te_dense_s16_params *p, const int16_t *x, int16_t *y);

TE_END_C

#endif
