/* Numbers that are the sum of two float32, the second at most half a unit of the first: 46 bits and more without a
 * double. As te_float.h, all of it relies on every operation being rounded on its own. */
#ifndef TE_TWOFOLD_H
#define TE_TWOFOLD_H

#include "tinyengine/te_float.h"

typedef struct te_twofold {
    float high, low;
} te_twofold;

/* Rounded sum and what rounding took off. */
TE_INLINE te_twofold te_exact_sum(float a, float b) {
    const float total = a + b, part = total - a;
    return (te_twofold){total, (a - (total - part)) + (b - part)};
}

/* The same of a first part that is larger. */
TE_INLINE te_twofold te_normal_twofold(float high, float low) {
    const float total = high + low;
    return (te_twofold){total, low - (total - high)};
}

/* Rounded product and what rounding took off, of halves of 12 bits. */
TE_INLINE te_twofold te_exact_product(float a, float b) {
    const float product = a * b, as = a * 4097.0f, bs = b * 4097.0f;
    const float a1 = as - (as - a), b1 = bs - (bs - b), a2 = a - a1, b2 = b - b1;
    return (te_twofold){product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2};
}

TE_INLINE te_twofold te_add_twofold(te_twofold a, te_twofold b) {
    const te_twofold sum = te_exact_sum(a.high, b.high);
    return te_normal_twofold(sum.high, sum.low + (a.low + b.low));
}

TE_INLINE te_twofold te_multiply_twofold(te_twofold a, te_twofold b) {
    const te_twofold product = te_exact_product(a.high, b.high);
    return te_normal_twofold(product.high, product.low + (a.high * b.low + a.low * b.high));
}

TE_INLINE te_twofold te_divide_twofold(float a, float b) {
    const float quotient = a / b;
    const te_twofold product = te_exact_product(quotient, b);
    return te_normal_twofold(quotient, ((a - product.high) - product.low) / b);
}

/* e^x = result * 2^*power; beyond -200 .. 200 that of the nearer end. */
static inline te_twofold te_exp_twofold(te_twofold x, int32_t *power) {
    static const te_twofold factorials[14] = {/* reciprocals, of 13 first */
                                              {1.6059044e-10f, -5.3525265e-18f},
                                              {2.0876756e-09f, 1.108284e-16f},
                                              {2.5052108e-08f, 4.417623e-16f},
                                              {2.755732e-07f, -7.575112e-15f},
                                              {2.7557319e-06f, 3.7935712e-14f},
                                              {2.4801588e-05f, -3.406996e-13f},
                                              {1.984127e-04f, -2.7255969e-12f},
                                              {1.3888889e-03f, -3.3631094e-11f},
                                              {8.333334e-03f, -4.346172e-10f},
                                              {4.1666668e-02f, -1.2417635e-09f},
                                              {1.6666667e-01f, -4.967054e-09f},
                                              {0.5f, 0.0f},
                                              {1.0f, 0.0f},
                                              {1.0f, 0.0f}};
    if (x.high > 200.0f || x.high < -200.0f) x = (te_twofold){x.high < 0.0f ? -200.0f : 200.0f, 0.0f};
    const float known = x.high == x.high ? x.high : 0.0f;
    *power = (int32_t)(known * 1.44269504f + (known < 0.0f ? -0.5f : 0.5f));
    const float whole = (float)*power;
    te_twofold rest = te_add_twofold(x, (te_twofold){-whole * 0.693359375f, 0.0f});
    rest = te_add_twofold(
        rest, te_multiply_twofold((te_twofold){-whole, 0.0f}, (te_twofold){-2.12194442e-4f, 1.646595e-12f}));
    te_twofold result = {0.0f, 0.0f};
    for (uint32_t i = 0; i < 14; i++)
        result = te_add_twofold(te_multiply_twofold(result, rest), factorials[i]);
    return result;
}

/* x * 2^power for powers of -372 to 372. */
static inline float te_scaled_f32(float x, int32_t power) {
    const int32_t part = power / 3;
    const float factor = te_float_of((uint32_t)(part + 127) << 23);
    return x * factor * factor * te_float_of((uint32_t)(power - 2 * part + 127) << 23);
}

#endif
