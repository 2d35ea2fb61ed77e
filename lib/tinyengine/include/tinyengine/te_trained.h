/* Forward kernels of layers whose weights are trained: those of some input channels lie in SRAM, the others
 * in flash. Any shape. (A layer of which only the biases are trained runs on the kernels of te_conv.h.)
 */
#ifndef TE_TRAINED_H
#define TE_TRAINED_H

#include "tinyengine/te_conv.h"

TE_BEGIN_C

/* Weights in SRAM: those of `count` input channels, in the order of the whole array without the others. */
typedef struct te_trained_part {
    const int8_t *values;
    const uint16_t *channels; /* ascending */
    uint32_t count;
} te_trained_part;

typedef struct te_conv2d_trained_params {
    te_conv2d_params conv; /* its weights: all of them, those in SRAM with any value */
    te_trained_part trained;
} te_conv2d_trained_params;

/* Convolution, output channel by output channel. scratch: kh * kw * in.c bytes. */
void te_conv2d_trained_s8(const te_conv2d_trained_params *p, const int8_t *x, int8_t *y, void *scratch);

typedef struct te_depthwise_trained_params {
    te_depthwise_params depthwise; /* as for te_depthwise_s8 */
    te_trained_part trained;
} te_depthwise_trained_params;

/* scratch: kh * kw * out.c bytes. */
void te_depthwise_trained_s8(const te_depthwise_trained_params *p, const int8_t *x, int8_t *y, void *scratch);

typedef struct te_dense_trained_params {
    uint32_t in, out;
    int32_t in_zero;
    const int8_t *weights; /* [out][in], all in SRAM */
    const int32_t *bias;   /* [out] */
    te_requant requant;
} te_dense_trained_params;

/* Fully connected layer on one vector. */
void te_dense_trained_s8(const te_dense_trained_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
