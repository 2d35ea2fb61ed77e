/* Pooling and means. */
#ifndef TE_POOL_H
#define TE_POOL_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_pool_params {
    te_hwc in, out;
    te_window window;
    int16_t min, max;
} te_pool_params;

/* Average over the pixels inside the picture, rounded half away from zero; output row by output row. */
void te_average_pool_s8(const te_pool_params *p, const int8_t *x, int8_t *y);

/* Maximum over the pixels inside the picture; output row by output row. */
void te_max_pool_s8(const te_pool_params *p, const int8_t *x, int8_t *y);

/* A mean over some axes of a tensor, as strides: output (i, j), dense, sums x at offset
 * i * keep_stride[0] + j * keep_stride[1] + r * reduce_stride[0] + s * reduce_stride[1] over all r, s. */
typedef struct te_reduce {
    uint32_t keep[2], keep_stride[2], reduce[2], reduce_stride[2];
} te_reduce;

typedef struct te_mean_params {
    te_reduce shape;
    int16_t in_zero, out_zero;
    int32_t multiplier, shift; /* as in te_requant; 1 / (values per output) is in the multiplier */
} te_mean_params;

/* y = clamp((sum (x - in_zero)) * multiplier / 2^31 * 2^shift + out_zero). Each output is written when its
 * inputs have been read. */
void te_mean_s8(const te_mean_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
