/* Twin of te_pointwise_weight_gradient: 8 trained channels side by side, updates as well. */
#include "tinyengine/te_backward.h"

#include "lanes.h"
#include "support/te_update.h"

typedef te_layer_gradient_params params;

/* Saved pixels less their zero point, two pixels in a word: [pair of pixels][channel], `pitch` channels. */
static void pair_pixels(const params *p, const int8_t *saved, uint32_t pixels, uint32_t pitch, int16_t *to) {
    for (uint32_t j = 0; j < p->trained->count; j++, saved += (pixels + 3) & ~3u)
        for (uint32_t i = 0; i < pixels; i++)
            to[2 * (i / 2 * pitch + j) + i % 2] = (int16_t)(saved[i] - p->in_zero);
}

/* Gradients of output o, two pixels in a word. */
static void pair_gradients(const int16_t *g, uint32_t outputs, uint32_t pixels, int16_t *to) {
    for (uint32_t i = 0; i < pixels; i++) to[i] = g[i * outputs];
}

/* Sums over the pixels for 8 * vectors channels. */
static inline void sums_of_block(const int16_t *g, const int16_t *x, uint32_t pairs, uint32_t pitch,
                                 uint32_t vectors, __m256i *sums) {
    for (uint32_t v = 0; v < vectors; v++) sums[v] = _mm256_setzero_si256();
    for (uint32_t i = 0; i < pairs; i++, x += 2 * pitch) {
        int32_t word;
        memcpy(&word, g + 2 * i, sizeof word);
        const __m256i two = _mm256_set1_epi32(word);
        for (uint32_t v = 0; v < vectors; v++)
            sums[v] = _mm256_add_epi32(sums[v], _mm256_madd_epi16(two, load_16(x + 16 * v)));
    }
}

static void sums_of(const int16_t *g, const int16_t *x, uint32_t pairs, uint32_t pitch, __m256i *sums) {
    uint32_t v = pitch / 8;
    for (; v >= 6; v -= 6, x += 96, sums += 6) sums_of_block(g, x, pairs, pitch, 6, sums);
    for (; v >= 3; v -= 3, x += 48, sums += 3) sums_of_block(g, x, pairs, pitch, 3, sums);
    for (; v >= 1; v -= 1, x += 16, sums += 1) sums_of_block(g, x, pairs, pitch, 1, sums);
}

#ifndef TE_UPDATE_VARIANT_H
static __m256i mix(__m256i x) { /* te_mix */
    x = _mm256_mullo_epi32(_mm256_xor_si256(x, _mm256_srli_epi32(x, 16)),
                           _mm256_set1_epi32((int32_t)0x85EBCA6Bu));
    x = _mm256_mullo_epi32(_mm256_xor_si256(x, _mm256_srli_epi32(x, 13)),
                           _mm256_set1_epi32((int32_t)0xC2B2AE35u));
    return _mm256_xor_si256(x, _mm256_srli_epi32(x, 16));
}

/* te_random_bits of 8 indices from `first` on. */
static __m256i random_bits(uint32_t key, uint32_t first) {
    const __m256i index =
        _mm256_add_epi32(_mm256_set1_epi32((int32_t)first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    const __m256i step =
        _mm256_mullo_epi32(_mm256_srli_epi32(index, 1), _mm256_set1_epi32((int32_t)TE_GOLDEN));
    const __m256i hash = mix(_mm256_add_epi32(_mm256_set1_epi32((int32_t)key), step));
    const __m256i odd = _mm256_slli_epi32(_mm256_and_si256(index, _mm256_set1_epi32(1)), 4);
    return _mm256_and_si256(_mm256_srlv_epi32(hash, odd), _mm256_set1_epi32(0xffff));
}

/* Whether all of d can be rounded by lanes, as te_update_weight and te_update_residual
 * do in the common case. */
static int small(__m256 d) {
    const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), d);
    return _mm256_movemask_ps(_mm256_cmp_ps(size, _mm256_set1_ps(16384.0f), _CMP_LT_OQ)) == 0xff;
}

static __m256i limited(__m256i x, int32_t low, int32_t high) {
    return _mm256_min_epi32(_mm256_max_epi32(x, _mm256_set1_epi32(low)), _mm256_set1_epi32(high));
}

static __m256i bytes_8(const int8_t *from) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

static void update_stochastic(int8_t *values, __m256 d, uint32_t key, uint32_t index) {
    const __m256i fixed = _mm256_cvttps_epi32(_mm256_mul_ps(d, _mm256_set1_ps(65536.0f)));
    const __m256i step = _mm256_srai_epi32(_mm256_add_epi32(fixed, random_bits(key, index)), 16);
    store_bytes(values, limited(_mm256_sub_epi32(bytes_8(values), step), -128, 127));
}

static void update_residual(int8_t *values, int8_t *residuals, __m256 d) {
    const __m256 scaled = _mm256_mul_ps(d, _mm256_set1_ps(256.0f));
    const __m256 half = _mm256_or_ps(
        _mm256_and_ps(_mm256_cmp_ps(scaled, _mm256_setzero_ps(), _CMP_LT_OQ), _mm256_set1_ps(-0.0f)),
        _mm256_set1_ps(0.5f));
    const __m256i step = _mm256_cvttps_epi32(_mm256_add_ps(scaled, half));
    const __m256i old = _mm256_add_epi32(_mm256_slli_epi32(bytes_8(values), 8), bytes_8(residuals));
    const __m256i wide = limited(_mm256_sub_epi32(old, step), -32768, 32639);
    const __m256i rounded = _mm256_srai_epi32(_mm256_add_epi32(wide, _mm256_set1_epi32(128)), 8);
    store_bytes(values, rounded);
    store_bytes(residuals, _mm256_sub_epi32(wide, _mm256_slli_epi32(rounded, 8)));
}

static int update_8(const te_trained_weights *t, uint32_t n, __m256 d, uint32_t key) {
    if (!small(d)) return 0;
    if (t->residuals)
        update_residual(t->values + n, t->residuals + n, d);
    else
        update_stochastic(t->values + n, d, key, t->first + n);
    return 1;
}
#elif defined(TE_UPDATE_8)
static int update_8(const te_trained_weights *t, uint32_t n, __m256 d, uint32_t key) {
    (void)key;
    return te_update_8(t, n, d);
}
#else
static int update_8(const te_trained_weights *t, uint32_t n, __m256 d, uint32_t key) {
    (void)t, (void)n, (void)d, (void)key;
    return 0;
}
#endif

/* te_update_one of `count` neighbouring weights, at most 8. */
static void update(const te_trained_weights *t, uint32_t n, uint32_t count, __m256i sums, float factor,
                   const te_train_context *context) {
    const __m256 d = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(factor));
    if (count == 8 && !context->velocity && update_8(t, n, d, context->key)) return;
    int32_t totals[8];
    store_8(totals, sums);
    for (uint32_t i = 0; i < count; i++) te_update_one(t, n + i, (float)totals[i], factor, context);
}

void te_pointwise_weight_gradient(const params *p, const int16_t *g, int32_t exponent, const int8_t *saved,
                                  void *scratch, const te_train_context *context) {
    (void)scratch;
    const te_trained_weights *t = p->trained;
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, pairs = (pixels + 1) / 2,
                   pitch = (t->count + 7u) & ~7u;
    const float rate = te_scale_float(context->rate, exponent);
    int16_t *x = host_memory(4 * pairs * pitch), *column = host_memory(4 * pairs);
    pair_pixels(p, saved, pixels, pitch, x);
    __m256i *sums = aligned_alloc(32, 4 * pitch);
    if (!sums) abort();
    for (uint32_t o = 0; o < p->out.c; o++) {
        const float factor = rate * t->scaling[o];
        pair_gradients(g + o, p->out.c, pixels, column);
        sums_of(column, x, pairs, pitch, sums);
        for (uint32_t j = 0; j < t->count; j += 8)
            update(t, o * t->count + j, t->count - j < 8 ? t->count - j : 8, sums[j / 8], factor, context);
    }
    free(sums);
    free(column);
    free(x);
}
