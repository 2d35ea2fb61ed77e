/* ADD, SUB and MUL with broadcasting, and maps of single values.
 *
 * Broadcasting is strides: the output is dense with four axes, and input a holds the value of output element
 * (i0, i1, i2, i3) at i0 * stride_a[0] + ... + i3 * stride_a[3]; a stride of 0 repeats. The compiler merges
 * axes, so that two tensors of one shape are a single axis. Elements are computed in order: y may be an input
 * of y's own shape.
 */
#ifndef TE_ELEMENTWISE_H
#define TE_ELEMENTWISE_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_broadcast {
    uint32_t dims[4];
    int32_t stride_a[4], stride_b[4];
} te_broadcast;

typedef struct te_scale_params {
    int32_t multiplier;
    int16_t shift, zero;
} te_scale_params;

/* y = clamp(scale(t, out) + out.zero, min, max) with scale(v, s) = v * s.multiplier / 2^31 * 2^s.shift.
 *
 * ADD: t = scale((a - a.zero) * 2^20, a) + scale((b - b.zero) * 2^20, b)
 * SUB: ADD with a negative b.multiplier
 * MUL: t = (a - a.zero) * (b - b.zero); multiplier and shift of a and b are not used */
typedef struct te_binary_params {
    te_broadcast shape;
    te_scale_params a, b, out;
    int16_t min, max;
    const int8_t *constant; /* the constant operand of the _const kernels, else NULL */
    uint8_t constant_first; /* the constant is operand a */
} te_binary_params;

void te_add_s8(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y);
void te_mul_s8(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y);

/* One operand is p->constant, x the other. */
void te_add_const_s8(const te_binary_params *p, const int8_t *x, int8_t *y);
void te_mul_const_s8(const te_binary_params *p, const int8_t *x, int8_t *y);

typedef struct te_lut_params {
    uint32_t count;
    const int8_t *table; /* [256]: the result for -128, -127, ... 127 */
} te_lut_params;

/* y[i] = table[x[i] + 128]: LOGISTIC, HARD_SWISH, RELU, RELU6, QUANTIZE. y may be x, or trail it. */
void te_lut_s8(const te_lut_params *p, const int8_t *x, int8_t *y);

typedef struct te_softmax_params {
    uint32_t rows, depth;
    const int32_t *exp; /* [256]: exp(-d * scale * beta), 31 fraction bits; 0 where TFLite drops d */
} te_softmax_params;

/* Softmax over the last axis with output scale 1/256 and zero point -128, row by row; y may be x. */
void te_softmax_s8(const te_softmax_params *p, const int8_t *x, int8_t *y);

/* The same with output scale 1/65536 and zero point -32768; y is somewhere else. */
void te_softmax_s8_s16(const te_softmax_params *p, const int8_t *x, int16_t *y);

TE_END_C

#endif
