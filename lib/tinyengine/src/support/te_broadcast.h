/* The loop over a broadcast pair of operands, specialized by the compiler for each operation. */
#ifndef TE_BROADCAST_H
#define TE_BROADCAST_H

#include "te_requant.h"
#include "tinyengine/te_elementwise.h"

typedef int8_t (*te_binary_op)(const te_binary_params *p, int32_t a, int32_t b);

/* Inlined with a constant `op`, so that the inner loop holds the operation itself. */
static inline void te_broadcast_loop(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y,
                                     te_binary_op op) {
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
static inline void te_broadcast_const(const te_binary_params *p, const int8_t *x, int8_t *y,
                                      te_binary_op op) {
    if (p->constant_first)
        te_broadcast_loop(p, p->constant, x, y, op);
    else
        te_broadcast_loop(p, x, p->constant, y, op);
}

static inline int32_t te_operand(const te_scale_params *s, int32_t q) {
    return te_scale((q - s->zero) * (1 << 20), s->multiplier, s->shift);
}

static inline int8_t te_result(const te_binary_params *p, int32_t value) {
    const int32_t scaled = te_scale(value, p->out.multiplier, p->out.shift);
    return (int8_t)te_clamp(te_wrap_add(scaled, p->out.zero), p->min, p->max);
}

static inline int8_t te_add_op(const te_binary_params *p, int32_t a, int32_t b) {
    return te_result(p, te_operand(&p->a, a) + te_operand(&p->b, b));
}

static inline int8_t te_mul_op(const te_binary_params *p, int32_t a, int32_t b) {
    return te_result(p, (a - p->a.zero) * (b - p->b.zero));
}

#endif
