/* What the AVX2 twins share: loads that widen, sums across lanes, exact rounding of 8 sums at once. */
#ifndef TE_AVX2_LANES_H
#define TE_AVX2_LANES_H

#include "tinyengine/te_requant.h"

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

/* Zeros, to be freed. */
static inline void *host_memory(size_t bytes) {
    void *memory = calloc(bytes, 1);
    if (!memory) abort();
    return memory;
}

static inline __m256i widen_16(const int8_t *from) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)from));
}

static inline __m256i load_16(const int16_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static inline __m256i load_8(const int32_t *from) {
    return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

static inline void store_8(int32_t *to, __m256i value) {
    _mm256_storeu_si256((__m256i *)(void *)to, value);
}

/* to = x - zero, widened. */
static inline void widen_less(const int8_t *x, uint32_t count, int32_t zero, int16_t *to) {
    const __m256i zeros = _mm256_set1_epi16((int16_t)zero);
    uint32_t i = 0;
    for (; i + 16 <= count; i += 16)
        _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_sub_epi16(widen_16(x + i), zeros));
    for (; i < count; i++) to[i] = (int16_t)(x[i] - zero);
}

/* Bits 31 .. 62 of the products of all 8 lanes plus `half` (of 64 bits). */
static inline __m256i product_bits_31(__m256i a, __m256i b, __m256i half) {
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, b), half);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)), half);
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xaa);
}

/* te_scale of te_requant.h, lane by lane. */
static inline __m256i scale_8(__m256i acc, __m256i multiplier, __m256i shift) {
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi32(1);
    const __m256i left = _mm256_max_epi32(shift, zero);
    const __m256i right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero);
    const __m256i high =
        product_bits_31(_mm256_sllv_epi32(acc, left), multiplier, _mm256_set1_epi64x(INT64_C(1) << 30));
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    const __m256i threshold = _mm256_add_epi32(_mm256_srli_epi32(mask, 1), _mm256_srli_epi32(high, 31));
    const __m256i more = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), threshold);
    return _mm256_sub_epi32(_mm256_srav_epi32(high, right), more);
}

/* How te_requant_fixed.h rounds, lane by lane: sums shifted left by l, c one less where s and
 * the sum is negative. */
typedef struct fixed_rounding {
    __m256i m, c, e, l, s;
} fixed_rounding;

/* te_round_wide of 8 sums, saturated to int8. */
static inline __m256i round_fixed(__m256i acc, const fixed_rounding *r) {
    const __m256i half = _mm256_set1_epi64x(INT64_C(1) << 31), a = _mm256_sllv_epi32(acc, r->l);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(a, r->m), half);
    const __m256i odd =
        _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(r->m, 32)), half);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    const __m256i sign = _mm256_and_si256(_mm256_srai_epi32(acc, 31), r->s);
    const __m256i y = _mm256_srav_epi32(_mm256_add_epi32(high, _mm256_add_epi32(r->c, sign)), r->e);
    return _mm256_min_epi32(_mm256_max_epi32(y, _mm256_set1_epi32(-128)), _mm256_set1_epi32(127));
}

/* The low bytes of 8 values that fit. */
static inline void store_bytes(int8_t *to, __m256i values) {
    const __m256i words = _mm256_packs_epi32(values, values);
    const __m256i bytes = _mm256_packs_epi16(words, words);
    const int32_t low = _mm256_cvtsi256_si32(bytes), high = _mm256_extract_epi32(bytes, 4);
    memcpy(to, &low, 4);
    memcpy(to + 4, &high, 4);
}

/* te_requantize of te_requant.h for `count` neighbouring channels from `first` on, bias included. */
static inline void requantize_row(const int32_t *acc, const int32_t *bias, const te_requant *q,
                                  uint32_t first, uint32_t count, int8_t *y) {
    uint32_t i = 0;
    for (; !q->per_tensor && i + 8 <= count; i += 8) {
        const uint32_t c = first + i;
        const __m256i sum = _mm256_add_epi32(load_8(acc + i), load_8(bias + c));
        const __m256i shift =
            _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(q->shift + c)));
        const __m256i scaled = scale_8(sum, load_8(q->multiplier + c), shift);
        const __m256i moved = _mm256_add_epi32(scaled, _mm256_set1_epi32(q->zero));
        store_bytes(y + i, _mm256_min_epi32(_mm256_max_epi32(moved, _mm256_set1_epi32(q->min)),
                                            _mm256_set1_epi32(q->max)));
    }
    for (; i < count; i++) y[i] = te_requantize(te_wrap_add(acc[i], bias[first + i]), q, first + i);
}

#endif
