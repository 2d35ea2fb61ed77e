/* Other ways to update a constant, for comparison; never on a device, and without velocities.
 * The original is te_update_device.h. */
#ifndef TE_UPDATE_VARIANT_H
#define TE_UPDATE_VARIANT_H

#define te_update_weight te_update_weight_device
#define te_update_bias te_update_bias_device
#define te_update_now te_update_now_device
#define te_update_one te_update_one_device
#define te_update_one_bias te_update_one_bias_device
#include "te_update_device.h"
#undef te_update_weight
#undef te_update_bias
#undef te_update_now
#undef te_update_one
#undef te_update_one_bias

#include "variant.h" /* TE_VARIANT: 1 float32 shadows, 2 C truncation of the result */

#if TE_VARIANT == 1
/* A float32 beside every trained constant, by its number in the stream of random bits. Where it does not
 * round to the constant, that has been set from outside: begin anew. */
static float te_shadow[1u << 20];

static inline int32_t te_from_shadow(int32_t value, int32_t low, int32_t high, float d, uint32_t index) {
    float *shadow = &te_shadow[index & 0xfffffu];
    const float known = *shadow < 0.0f ? *shadow - 0.5f : *shadow + 0.5f;
    if (known >= 2147483000.0f || known <= -2147483000.0f || (int32_t)known != value) *shadow = (float)value;
    *shadow -= d;
    if (*shadow < (float)low) *shadow = (float)low;
    if (*shadow > (float)high) *shadow = (float)high;
    return te_limited((int32_t)(*shadow < 0.0f ? *shadow - 0.5f : *shadow + 0.5f), low, high);
}

#ifdef __AVX2__
#include <immintrin.h>
#define TE_UPDATE_8 /* for the twin of te_pointwise_weight_gradient */

/* The same for 8 neighbouring weights; 0: not done, because they are not neighbours here. */
static inline int te_update_8(const te_trained_weights *w, uint32_t n, __m256 d) {
    float *shadow = &te_shadow[(w->first + n) & 0xfffffu];
    int8_t *values = w->values + n;
    if (((w->first + n) & 0xfffffu) + 8 > 1u << 20) return 0;
    const __m256 sign = _mm256_set1_ps(-0.0f), half = _mm256_set1_ps(0.5f);
    const __m256i old = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)values));
    __m256 s = _mm256_loadu_ps(shadow);
    const __m256i known = _mm256_cvttps_epi32(_mm256_add_ps(s, _mm256_or_ps(_mm256_and_ps(s, sign), half)));
    s = _mm256_blendv_ps(_mm256_cvtepi32_ps(old), s, _mm256_castsi256_ps(_mm256_cmpeq_epi32(known, old)));
    s = _mm256_sub_ps(s, d);
    s = _mm256_min_ps(_mm256_max_ps(s, _mm256_set1_ps(-128.0f)), _mm256_set1_ps(127.0f));
    _mm256_storeu_ps(shadow, s);
    const __m256i rounded = _mm256_cvttps_epi32(_mm256_add_ps(s, _mm256_or_ps(_mm256_and_ps(s, sign), half)));
    int32_t lanes[8];
    _mm256_storeu_si256((__m256i *)(void *)lanes, rounded);
    for (uint32_t i = 0; i < 8; i++)
        values[i] = (int8_t)(lanes[i] > 127 ? 127 : lanes[i] < -128 ? -128 : lanes[i]);
    return 1;
}
#endif
#else
static inline int32_t te_from_shadow(int32_t value, int32_t low, int32_t high, float d, uint32_t index) {
    const float result = (float)value - d;
    (void)index;
    if (result <= (float)low) return low;
    if (result >= (float)high) return high;
    return (int32_t)result;
}
#endif

static inline int8_t te_update_weight(int8_t value, float d, uint32_t key, uint32_t index) {
    (void)key;
    return (int8_t)te_from_shadow(value, -128, 127, d, index);
}

static inline int32_t te_update_bias(int32_t value, int32_t limit, float d, uint32_t key, uint32_t index) {
    (void)key;
    return te_from_shadow(value, -limit, limit, d, index);
}

static inline void te_update_now(const te_trained_weights *w, uint32_t n, float d, uint32_t key) {
    w->values[n] = te_update_weight(w->values[n], d, key, w->first + n);
}

static inline void te_update_one(const te_trained_weights *w, uint32_t n, float total, float factor,
                                 const te_train_context *context) {
    te_update_now(w, n, total * factor, context->key);
}

static inline void te_update_one_bias(const te_trained_bias *b, uint32_t c, float total, float rate,
                                      const te_train_context *context) {
    if (b->scaling[c] == 0.0f) return;
    const float d = total * (rate * b->scaling[c]);
    b->values[c] = te_update_bias(b->values[c], b->limit, d, context->key, b->first + c);
}

#endif
