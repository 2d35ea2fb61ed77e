/* How trained constants change: stochastic rounding in place, or nearest with a residual byte. */
#ifndef TE_UPDATE_H
#define TE_UPDATE_H

#include "tinyengine/te_backward.h"
#include "tinyengine/te_requant.h"

#include <string.h>

#define TE_GOLDEN 0x9E3779B9u /* 2^32 / golden ratio */

/* The finalizer of MurmurHash3. */
static inline uint32_t te_mix(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x85EBCA6Bu;
    x = (x ^ (x >> 13)) * 0xC2B2AE35u;
    return x ^ (x >> 16);
}

/* 16 random bits: two neighbours share a hash. */
static inline int32_t te_random_bits(uint32_t key, uint32_t index) {
    const uint32_t hash = te_mix(key + (index >> 1) * TE_GOLDEN);
    return (int32_t)(index & 1 ? hash >> 16 : hash & 0xffffu);
}

/* 2^n, -149 <= n <= 127. */
static inline float te_power_of_two(int32_t n) {
    const uint32_t bits = n >= -126 ? (uint32_t)(n + 127) << 23 : 1u << (n + 149);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* x * 2^n, rounded once as far as the result matters. */
static inline float te_scale_float(float x, int32_t n) {
    if (n < -126) x *= te_power_of_two(-100), n += 100;
    if (n < -149) n = -149;
    if (n > 127) x *= te_power_of_two(127), n -= 127;
    if (n > 127) n = 127;
    return x * te_power_of_two(n);
}

/* floor(d + bits / 2^16); d is cut to 16 fractional bits below 2^14, to integers from there on, and saturates
 * at 2^30; what is not a number, 0. */
static inline int32_t te_round_random(float d, int32_t bits) {
    if (d < 16384.0f && d > -16384.0f) return ((int32_t)(d * 65536.0f) + bits) >> 16;
    if (d >= 1073741824.0f) return 1 << 30;
    if (d > -1073741824.0f) return (int32_t)d;
    return d <= -1073741824.0f ? -(1 << 30) : 0;
}

/* value -= d, as an int8 weight. `index`: its number in the stream of random bits. */
static inline int8_t te_update_weight(int8_t value, float d, uint32_t key, uint32_t index) {
    const int32_t step = te_round_random(d, te_random_bits(key, index));
    return (int8_t)te_clamp(value - step, -128, 127);
}

/* The same for a bias, which stays within +-limit. */
static inline int32_t te_update_bias(int32_t value, int32_t limit, float d, uint32_t key, uint32_t index) {
    return te_clamp(value - te_round_random(d, te_random_bits(key, index)), -limit, limit);
}

/* The same for a weight with 8 more bits; halves away from zero. */
static inline void te_update_residual(int8_t *value, int8_t *residual, float d) {
    const float inside = d >= -16384.0f ? d <= 16384.0f ? d : 16384.0f : -16384.0f; /* a number in any case */
    const float scaled = inside * 256.0f;
    const int32_t step = (int32_t)(scaled < 0.0f ? scaled - 0.5f : scaled + 0.5f);
    const int32_t wide = te_clamp(*value * 256 + *residual - step, -32768, 32639);
    const int32_t rounded = (wide + 128) >> 8;
    *value = (int8_t)rounded;
    *residual = (int8_t)(wide - rounded * 256);
}

/* With velocities: that of constant `index` of the stream of random bits gains *d, and becomes it. Returns
 * whether the constant changes now. */
static inline uint32_t te_gather(const te_train_context *context, uint32_t index, float *d) {
    if (!context->velocity) return 1;
    float *velocity = context->velocity + index;
    /* what is to be forgotten may be infinite */
    *d = *velocity = context->keep == 0.0f ? *d : *velocity * context->keep + *d;
    return context->last;
}

/* Trained weight number `n` of its layer less d. */
static inline void te_update_now(const te_trained_weights *w, uint32_t n, float d, uint32_t key) {
    if (w->residuals)
        te_update_residual(w->values + n, w->residuals + n, d);
    else
        w->values[n] = te_update_weight(w->values[n], d, key, w->first + n);
}

/* The next trained weight, number `n` of its layer, whose gradient is total * 2^e;
 * factor = rate * 2^e * scaling. */
static inline void te_update_one(const te_trained_weights *w, uint32_t n, float total, float factor,
                                 const te_train_context *context) {
    float d = total * factor;
    if (te_gather(context, w->first + n, &d)) te_update_now(w, n, d, context->key);
}

/* Bias `c`, likewise. */
static inline void te_update_one_bias(const te_trained_bias *b, uint32_t c, float total, float rate,
                                      const te_train_context *context) {
    if (b->scaling[c] == 0.0f) return; /* a dead channel */
    const uint32_t index = b->first + c;
    float d = total * (rate * b->scaling[c]);
    if (te_gather(context, index, &d))
        b->values[c] = te_update_bias(b->values[c], b->limit, d, context->key, index);
}

#endif
