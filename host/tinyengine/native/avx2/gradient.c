/* Twins of te_gradient_sums.h. */
#include "tinyengine/te_gradient_sums.h"

#include "lanes.h"
#include "support/te_block_float.h"
#include "support/te_pairs.h"

/* Four channels' sums, of which each half has a part. */
static void store_tile(int32_t *to, __m256i sums) {
    const __m128i all = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    _mm_storeu_si128((__m128i *)(void *)to, all);
}

/* Two pixels; per pair of outputs a word of each. */
static void tile_2(const te_gradient_tile_args *a, const int16_t *g, int32_t *sums) {
    const __m256i first = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2),
                  second = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
    const int16_t *w = (const int16_t *)(const void *)a->weights;
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0;
    for (uint32_t k = 0; k < 2 * a->groups; k++, w += 16, g += 8) {
        const __m256i words = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)g));
        const __m256i both = load_16(w);
        sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(_mm256_permutevar8x32_epi32(words, first), both));
        sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(_mm256_permutevar8x32_epi32(words, second), both));
    }
    store_tile(sums, sum0);
    store_tile(sums + a->sums_pitch / 4, sum1);
}

static void tile_1(const te_gradient_tile_args *a, const int16_t *g, int32_t *sums) {
    const __m256i words = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const int16_t *w = (const int16_t *)(const void *)a->weights;
    __m256i sum = _mm256_setzero_si256();
    for (uint32_t k = 0; k < 2 * a->groups; k++, w += 16, g += 4) {
        const __m256i x = _mm256_castsi128_si256(_mm_loadl_epi64((const __m128i *)(const void *)g));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_permutevar8x32_epi32(x, words), load_16(w)));
    }
    store_tile(sums, sum);
}

void te_gradient_tile(const te_gradient_tile_args *a) {
    const int16_t *g = a->g;
    int32_t *sums = a->sums;
    uint32_t i = 0;
    for (; i + 2 <= a->pixels; i += 2, g += 16 * a->groups, sums += 2 * (a->sums_pitch / 4))
        tile_2(a, g, sums);
    if (i < a->pixels) tile_1(a, g, sums);
}

void te_depthwise_taps(const te_gradient_tap *taps, uint32_t count, int32_t *sums, uint32_t quads) {
    uint32_t c = 0;
    for (; c + 16 <= 4 * quads; c += 16) {
        __m256i a = _mm256_setzero_si256(), b = a;
        for (uint32_t t = 0; t < count; t += 2) {
            const te_gradient_tap *second = t + 1 < count ? taps + t + 1 : taps + t;
            const __m256i g0 = load_16(taps[t].g + c), g1 = load_16(second->g + c);
            const __m256i w0 = widen_16(taps[t].w + c);
            const __m256i w1 = t + 1 < count ? widen_16(second->w + c) : _mm256_setzero_si256();
            const __m256i low =
                _mm256_madd_epi16(_mm256_unpacklo_epi16(g0, g1), _mm256_unpacklo_epi16(w0, w1));
            const __m256i high =
                _mm256_madd_epi16(_mm256_unpackhi_epi16(g0, g1), _mm256_unpackhi_epi16(w0, w1));
            a = _mm256_add_epi32(a, low);
            b = _mm256_add_epi32(b, high);
        }
        store_8(sums + c, _mm256_permute2x128_si256(a, b, 0x20));
        store_8(sums + c + 8, _mm256_permute2x128_si256(a, b, 0x31));
    }
    for (; c < 4 * quads; c++) {
        sums[c] = 0;
        for (uint32_t t = 0; t < count; t++) sums[c] += taps[t].g[c] * taps[t].w[c];
    }
}

void te_widen_rows(const int8_t *from, uint32_t second, uint32_t pair, uint32_t groups, uint32_t *to) {
    for (; groups > 0; groups--)
        for (uint32_t k = 0; k < 4; k++, from += pair, to += 4) {
            const __m128i a = _mm_cvtsi32_si128((int)te_load_word(from)),
                          b = _mm_cvtsi32_si128((int)te_load_word(from + second));
            _mm_storeu_si128((__m128i *)(void *)to, _mm_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)));
        }
}

void te_widen_fours(const uint32_t *from, uint32_t pitch, uint32_t groups, uint32_t *to) {
    const __m128i high = _mm_set1_epi16(-256);
    for (; groups > 0; groups--)
        for (uint32_t k = 0; k < 2; k++, from += pitch / 4, to += 8) {
            /* (k0 k2) (k0 k2) (k1 k3) (k1 k3) of outputs 0 1, 2 3, 0 1, 2 3 -> k0 k1 k2 k3 of 0 1, then of 2 3 */
            const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)from);
            const __m128i first = _mm_srai_epi16(_mm_slli_epi16(both, 8), 8);
            const __m128i second = _mm_srai_epi16(_mm_and_si128(_mm_sub_epi16(both, first), high), 8);
            const __m128i a = _mm_unpacklo_epi16(first, second), b = _mm_unpackhi_epi16(first, second);
            /* words of a: k0 k2 of 0 1, k0 k2 of 2 3; of b: k1 k3 */
            const __m128i low = _mm_unpacklo_epi32(a, b), up = _mm_unpackhi_epi32(a, b); /* k0 k1 k2 k3 */
            _mm_storeu_si128((__m128i *)(void *)to, low);
            _mm_storeu_si128((__m128i *)(void *)(to + 4), up);
        }
}

uint32_t te_magnitude_4(const int32_t *sums, uint32_t quads) {
    __m256i all = _mm256_setzero_si256();
    uint32_t c = 0, magnitude = 0, lanes[8];
    for (; c + 8 <= 4 * quads; c += 8) all = _mm256_or_si256(all, _mm256_abs_epi32(load_8(sums + c)));
    for (; c < 4 * quads; c++) magnitude |= te_magnitude(sums[c]);
    _mm256_storeu_si256((__m256i *)(void *)lanes, all);
    for (uint32_t i = 0; i < 8; i++) magnitude |= lanes[i];
    return magnitude;
}

void te_round_4(const int32_t *sums, int16_t *out, uint32_t quads, int32_t shift) {
    const int32_t half = (int32_t)(1u << (shift - 1));
    const __m256i halves = _mm256_set1_epi32(half);
    const __m128i by = _mm_cvtsi32_si128(shift);
    uint32_t c = 0;
    for (; c + 16 <= 4 * quads; c += 16) {
        const __m256i a = _mm256_sra_epi32(_mm256_add_epi32(load_8(sums + c), halves), by);
        const __m256i b = _mm256_sra_epi32(_mm256_add_epi32(load_8(sums + c + 8), halves), by);
        const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
        _mm256_storeu_si256((__m256i *)(void *)(out + c), both);
    }
    for (; c < 4 * quads; c++) out[c] = (int16_t)te_saturate16((sums[c] + half) >> shift);
}

void te_scale_16(int16_t *g, const int16_t *factor, const uint8_t *mask, uint32_t units, int32_t shift) {
    const __m256i bits =
        _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
    const __m256i halves = _mm256_set1_epi32((int32_t)(1u << (shift - 1)));
    const __m128i by = _mm_cvtsi32_si128(shift);
    for (uint32_t i = 0; i < units; i++, g += 16, factor += 16) {
        __m256i m = load_16(g);
        if (mask) {
            const __m256i word = _mm256_set1_epi16((int16_t)(uint16_t)(mask[2 * i] | mask[2 * i + 1] << 8));
            m = _mm256_and_si256(m, _mm256_cmpeq_epi16(_mm256_and_si256(word, bits), bits));
        }
        const __m256i f = load_16(factor);
        const __m256i low = _mm256_mullo_epi16(m, f), high = _mm256_mulhi_epi16(m, f);
        __m256i a = _mm256_unpacklo_epi16(low, high), b = _mm256_unpackhi_epi16(low, high);
        a = _mm256_sra_epi32(_mm256_add_epi32(a, halves), by);
        b = _mm256_sra_epi32(_mm256_add_epi32(b, halves), by);
        const __m256i keep = _mm256_set1_epi32(0xffff); /* truncates as the portable twin does */
        a = _mm256_and_si256(a, keep);
        b = _mm256_and_si256(b, keep);
        _mm256_storeu_si256((__m256i *)(void *)g, _mm256_packus_epi32(a, b));
    }
}
