/* BATCH_MATMUL of int8: both matrices are activations. */
#ifndef TE_MATMUL_H
#define TE_MATMUL_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* One matrix as lines along which products are summed: value k of line i at i * line + k * step. */
typedef struct te_matmul_side {
    const int32_t *first; /* of each product of matrices, where its matrix begins */
    int32_t line, step, zero;
} te_matmul_side;

typedef struct te_matmul_params {
    te_matmul_side a, b;
    uint32_t batch, rows, columns, depth; /* lines of a, lines of b: at least 2 */
    uint32_t block;                       /* columns that are packed at a time; an even number, or all */
    int32_t m, c, e;                      /* rounding of doubled sums: see te_requant_fixed.h */
} te_matmul_params;

/* Scratch memory: 8 bytes per group of 4 values of depth, for 2 lines and the `block` lines of b, made even. */
void te_matmul_s8(const te_matmul_params *p, const int8_t *a, const int8_t *b, int8_t *y, void *scratch);

/* ReLU linear attention. With q and k not negative, v any int8 values less their zero points, for each head of `depth`
 * neighbouring channels:
 *     A[j][e] = sum over pixels of k[j] v[e],   B[j] = sum over pixels of k[j]
 *     A' = min((A + 2^(s-1)) >> s, 32767), s >= 0 the least shift with |A| < 2^(15+s)  (A itself where s is 0)
 * and for each pixel, with n leading zeros of D, all in exact integers:
 *     D = epsilon + sum over j of q[j] B[j],   r = 2^31 / ((D << n) >> 16),   R = (r * multiplier) >> 17
 *     t = clamp(61 - s - n - shift, 33, 63),   u = max(0, 33 - (61 - s - n - shift))
 *     y[e] = ((((2^u sum over j of q[j] A'[j][e]) * R) >> 32) + 2^(t-33)) >> (t - 32), plus zero, clamped
 * All tensors are pixels x (heads * depth). */
typedef struct te_linear_attention_params {
    uint32_t pixels, heads, depth; /* depth: even */
    int32_t value_zero, zero;
    uint32_t epsilon;
    int32_t multiplier, shift; /* of the values' scale by that of y, as te_scale takes them */
} te_linear_attention_params;

/* Scratch memory: int16 words, groups of 4 and pairs as above: depth + 4 lines of pixels; then depth * depth int32,
 * depth + 2 lines of depth, 3 * depth int32. */
void te_linear_attention_s8(const te_linear_attention_params *p, const int8_t *q, const int8_t *k,
                            const int8_t *v, int8_t *y, void *scratch);

TE_END_C

#endif
