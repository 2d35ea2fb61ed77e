/* Twins of te_gradient_sums.h. */
#include "tinyengine/te_gradient_sums.h"

#include "lanes.h"
#include "support/te_block_float.h"
#include "support/te_pairs.h"

/* Four channels' sums over 8 outputs in each half of a and b: channels 0 1 and 2 3. */
static void store_tile(int32_t *to, __m256i a, __m256i b) {
    const __m256i pairs = _mm256_hadd_epi32(a, b);        /* 0 0 2 2 | 1 1 3 3 */
    const __m256i sums = _mm256_hadd_epi32(pairs, pairs); /* 0 2 .. | 1 3 .. */
    const __m128i all = _mm_unpacklo_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    _mm_storeu_si128((__m128i *)(void *)to, all);
}

static __m256i twice_8(const int16_t *from) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* The first `count` of 4 pixels. */
static void tile_4(const te_gradient_tile_args *a, const int16_t *g, uint32_t count, int32_t *sums) {
    const uint32_t pitch = 8 * a->groups, step = a->sums_pitch / 4;
    const int16_t *w = (const int16_t *)(const void *)a->weights;
    __m256i low[4], high[4];
    for (uint32_t i = 0; i < 4; i++) low[i] = high[i] = _mm256_setzero_si256();
    const int16_t *from[4];
    for (uint32_t i = 0; i < 4; i++) from[i] = g + (i < count ? i : 0) * pitch;
    for (uint32_t k = 0; k < a->groups; k++, w += 32) {
        const __m256i w01 = load_16(w), w23 = load_16(w + 16);
        for (uint32_t i = 0; i < 4; i++) {
            const __m256i x = twice_8(from[i] + 8 * k);
            low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(x, w01));
            high[i] = _mm256_add_epi32(high[i], _mm256_madd_epi16(x, w23));
        }
    }
    for (uint32_t i = 0; i < count; i++) store_tile(sums + i * step, low[i], high[i]);
}

void te_gradient_tile(const te_gradient_tile_args *a) {
    for (uint32_t i = 0; i < a->pixels; i += 4) {
        const uint32_t count = a->pixels - i < 4 ? a->pixels - i : 4;
        tile_4(a, a->g + i * 8 * a->groups, count, a->sums + i * (a->sums_pitch / 4));
    }
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
    const __m128i by_channel = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (; groups > 0; groups--, to += 16) {
        __m128i rows[2]; /* of 4 outputs, 4 channels each; then of 4 channels */
        for (uint32_t k = 0; k < 2; k++, from += 2 * pair) {
            const uint32_t a = te_load_word(from), b = te_load_word(from + second);
            const uint32_t c = te_load_word(from + pair), d = te_load_word(from + pair + second);
            rows[k] = _mm_shuffle_epi8(_mm_setr_epi32((int)a, (int)b, (int)c, (int)d), by_channel);
        }
        const __m256i low = _mm256_cvtepi8_epi16(_mm_unpacklo_epi32(rows[0], rows[1]));
        const __m256i high = _mm256_cvtepi8_epi16(_mm_unpackhi_epi32(rows[0], rows[1]));
        _mm256_storeu_si256((__m256i *)(void *)to, low);
        _mm256_storeu_si256((__m256i *)(void *)(to + 8), high);
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
