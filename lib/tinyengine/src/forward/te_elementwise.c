/* ADD, SUB, MUL with broadcasting, tables, softmax. */
#include "tinyengine/te_elementwise.h"

#include <stdbool.h>

#include "tinyengine/te_fixed.h"

typedef int8_t binary_op(const te_binary_params *p, int32_t a, int32_t b);

/* Inlined with a constant `op`, so that the inner loop holds the operation itself. */
TE_INLINE void broadcast(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y,
                         binary_op *op) {
    const uint32_t *n = p->shape.dims;
    const int32_t *sa = p->shape.stride_a, *sb = p->shape.stride_b;
    for (uint32_t i = 0; i < n[0]; i++)
        for (uint32_t j = 0; j < n[1]; j++)
            for (uint32_t k = 0; k < n[2]; k++) {
                const int8_t *pa = a + (int32_t)i * sa[0] + (int32_t)j * sa[1] + (int32_t)k * sa[2];
                const int8_t *pb = b + (int32_t)i * sb[0] + (int32_t)j * sb[1] + (int32_t)k * sb[2];
                for (uint32_t c = 0; c < n[3]; c++, pa += sa[3], pb += sb[3]) *y++ = op(p, *pa, *pb);
            }
}

/* The same with the operand p->constant. */
TE_INLINE void broadcast_const(const te_binary_params *p, const int8_t *x, int8_t *y, binary_op *op) {
    broadcast(p, p->constant_first ? p->constant : x, p->constant_first ? x : p->constant, y, op);
}

static inline int32_t operand(const te_scale_params *s, int32_t q) {
    return te_scale((q - s->zero) * (1 << 20), s->multiplier, s->shift);
}

static inline int8_t result(const te_binary_params *p, int32_t value) {
    const int32_t scaled = te_scale(value, p->out.multiplier, p->out.shift);
    return (int8_t)te_clamp(te_wrap_add(scaled, p->out.zero), p->min, p->max);
}

TE_INLINE int8_t add(const te_binary_params *p, int32_t a, int32_t b) {
    return result(p, operand(&p->a, a) + operand(&p->b, b));
}

TE_INLINE int8_t mul(const te_binary_params *p, int32_t a, int32_t b) {
    return result(p, (a - p->a.zero) * (b - p->b.zero));
}

void te_add_s8(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    broadcast(p, a, b, y, add);
}

void te_mul_s8(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    broadcast(p, a, b, y, mul);
}

void te_add_const_s8(const te_binary_params *p, const int8_t *x, int8_t *y) {
    broadcast_const(p, x, y, add);
}

void te_mul_const_s8(const te_binary_params *p, const int8_t *x, int8_t *y) {
    broadcast_const(p, x, y, mul);
}

void te_lut_s8(const te_lut_params *p, const int8_t *x, int8_t *y) {
    const int8_t *table = p->table + 128;
    for (uint32_t i = 0; i < p->count; i++) y[i] = table[x[i]];
}

/* Into int8, or into int16 where `wide`. */
TE_INLINE void softmax(const te_softmax_params *p, const int8_t *x, void *out, bool wide) {
    const int32_t bits = wide ? 16 : 8, least = wide ? INT16_MIN : INT8_MIN, most = -1 - least;
    int16_t *y16 = out;
    int8_t *y8 = out;
    for (uint32_t row = 0; row < p->rows; row++, x += p->depth) {
        int32_t largest = INT8_MIN;
        for (uint32_t i = 0; i < p->depth; i++) largest = x[i] > largest ? x[i] : largest;
        int32_t sum = 0; /* 19 fraction bits */
        for (uint32_t i = 0; i < p->depth; i++)
            sum = te_wrap_add(sum, te_round_shift(p->exp[largest - x[i]], 12));
        /* sum = (1 + f) * 2^(12 - headroom), so its reciprocal is 1 / (1 + f), shifted. */
        const int32_t headroom = te_leading_zeros((uint32_t)sum);
        const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - UINT32_C(0x80000000));
        const int32_t scale = te_reciprocal_of_one_plus(fraction);
        const int32_t exponent = 12 - headroom + 31 - bits;
        for (uint32_t i = 0; i < p->depth; i++) {
            const int32_t share = te_high_mul(scale, p->exp[largest - x[i]]);
            const int32_t q =
                te_clamp((exponent > 31 ? 0 : te_round_shift(share, exponent)) + least, least, most);
            if (wide)
                *y16++ = (int16_t)q;
            else
                *y8++ = (int8_t)q;
        }
    }
}

void te_softmax_s8(const te_softmax_params *p, const int8_t *x, int8_t *y) {
    softmax(p, x, y, false);
}

void te_softmax_s8_s16(const te_softmax_params *p, const int8_t *x, int16_t *y) {
    softmax(p, x, y, true);
}
