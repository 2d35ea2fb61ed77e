/* Twins of the products of te_conv_fast.h: two pixels and one channel at a time, over widened weights. */
#include "tinyengine/te_conv_quads.h"

#include "lanes.h"
#include "support/te_requant_fixed.h"

typedef fixed_rounding rounding_fn(const int32_t *round, uint32_t channel, int32_t zero);

static inline fixed_rounding rounding_of(int32_t m, int32_t c, int32_t e, int32_t l, int32_t s) {
    const fixed_rounding r = {_mm256_set1_epi32(m), _mm256_set1_epi32(c), _mm256_set1_epi32(e),
                              _mm256_set1_epi32(l), _mm256_set1_epi32(s)};
    return r;
}

static inline fixed_rounding doubled(const int32_t *round, uint32_t channel, int32_t zero) {
    const int32_t e = 1 + (round[2] >> 8 * channel & 0xff);
    return rounding_of(round[channel], (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)), e, 0, -1);
}

static inline fixed_rounding exact(const int32_t *round, uint32_t channel, int32_t zero) {
    fixed_rounding r = doubled(round, channel, zero);
    r.l = _mm256_set1_epi32(1);
    return r;
}

static inline fixed_rounding wide(const int32_t *round, uint32_t channel, int32_t zero) {
    const int32_t *r = round + 5 * channel;
    (void)zero;
    return rounding_of(r[0], r[1], r[2], r[3], r[4]);
}

static inline fixed_rounding fast(const int32_t *round, uint32_t channel, int32_t zero) {
    return rounding_of(round[channel], zero, 0, 0, 0);
}

/* Weights of one channel, a word of 4 bytes every other word, as they meet a pair of pixels: per group
 * k0 k2 k0 k2 k1 k3 k1 k3, int16. `groups` is rounded up to even, with zeros. */
static void widen_channel(const uint32_t *from, uint32_t groups, __m256i *to) {
    const __m128i order = _mm_setr_epi8(0, 2, 0, 2, 1, 3, 1, 3, 8, 10, 8, 10, 9, 11, 9, 11);
    for (uint32_t g = 0; g < groups; g += 2, from += 4) {
        const __m128i bytes = _mm_setr_epi32((int32_t)from[0], 0, g + 1 < groups ? (int32_t)from[2] : 0, 0);
        *to++ = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(bytes, order));
    }
}

/* Lanes p0 p1 p0 p1 of a pair, to be added. */
static inline __m128i fold(__m256i sum) {
    return _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

static inline __m256i column_words(const uint32_t *from, uint32_t whole) {
    if (whole) return load_8((const int32_t *)from);
    return _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* Sums of the pixels of 4 pairs; those from `count` on repeat the last. */
static __m256i dot_4(const uint32_t *column, uint32_t pitch, uint32_t count, const __m256i *w,
                     uint32_t groups, int32_t bias) {
    const uint32_t *from[4];
    __m256i sum[4];
    for (uint32_t i = 0; i < 4; i++) {
        from[i] = column + (i < count ? i : count - 1) * pitch;
        sum[i] = _mm256_setzero_si256();
    }
    for (uint32_t g = 0; g + 2 <= groups; g += 2, w++)
        for (uint32_t i = 0; i < 4; i++)
            sum[i] = _mm256_add_epi32(sum[i], _mm256_madd_epi16(column_words(from[i] + 4 * g, 1), *w));
    __m128i half[4];
    for (uint32_t i = 0; i < 4; i++) half[i] = fold(sum[i]);
    if (groups % 2)
        for (uint32_t i = 0; i < 4; i++) {
            const __m256i last = column_words(from[i] + 4 * (groups - 1), 0);
            const __m128i more = _mm_madd_epi16(_mm256_castsi256_si128(last), _mm256_castsi256_si128(*w));
            half[i] = _mm_add_epi32(half[i], more);
        }
    for (uint32_t i = 0; i < 4; i++) half[i] = _mm_add_epi32(half[i], _mm_srli_si128(half[i], 8));
    const __m128i low = _mm_unpacklo_epi64(half[0], half[1]), high = _mm_unpacklo_epi64(half[2], half[3]);
    return _mm256_add_epi32(_mm256_set_m128i(high, low), _mm256_set1_epi32(bias));
}

/* All pixels of channel `to`. */
static void make_channel(const te_conv_tiles_args *a, const __m256i *taps, int32_t bias,
                         const fixed_rounding *r, uint32_t to) {
    const uint32_t pitch = 4 * a->groups + 2, columns = a->pairs + a->odd;
    int8_t *last = a->out + 2 * ((int32_t)a->pairs - 1) * (int32_t)a->channels + to; /* last whole pair */
    for (uint32_t i = 0; i < columns; i += 4) {
        const uint32_t *column = a->columns + i * pitch, count = columns - i < 4 ? columns - i : 4;
        int8_t y[8];
        store_bytes(y, round_fixed(dot_4(column, pitch, count, taps, a->groups, bias), r));
        for (uint32_t k = 0; k < count; k++, column += pitch) {
            const int32_t *out = (const int32_t *)(column + 4 * a->groups);
            last[out[0]] = y[2 * k];
            if (i + k < a->pairs) last[out[1]] = y[2 * k + 1];
        }
    }
}

static __m256i *new_taps(const te_conv_tiles_args *a) {
    __m256i *taps = aligned_alloc(32, 32 * ((a->groups + 1) / 2));
    if (!taps) abort();
    return taps;
}

static inline void tiles(const te_conv_tiles_args *a, uint32_t round_words, rounding_fn *rounding) {
    const uint32_t *w = a->weights, words = 2 + 2 * a->groups;
    __m256i *taps = new_taps(a);
    for (uint32_t c = 0; c < a->channels; c += 2, w += words + round_words) {
        const uint32_t base = c + 1 < a->channels || !c ? c : c - 1;
        for (uint32_t j = 0; j < 2 && base + j < a->channels; j++) {
            const fixed_rounding r = rounding((const int32_t *)(w + words), j, a->zero);
            widen_channel(w + 2 + j, a->groups, taps);
            make_channel(a, taps, (int32_t)w[j], &r, base + j);
        }
    }
    free(taps);
}

/* ---- te_conv_quads.h ----------------------------------------------------------------------------------- */

/* Weights of the channels of a pair, each as widen_channel wants them. */
static void part(const uint32_t *body, uint32_t groups, uint32_t *to) {
    for (uint32_t g = 0; g < groups; g++, body += 4, to += 2) {
        uint8_t bytes[2][4];
        for (uint32_t k = 0; k < 4; k++) {
            const uint32_t word = body[2 * (k & 1)] >> 16 * (k >> 1);
            const int32_t both = (int16_t)(uint16_t)word, low = (int8_t)(uint8_t)word;
            bytes[0][k] = (uint8_t)low;
            bytes[1][k] = (uint8_t)((both - low) / 256);
        }
        memcpy(to, bytes, sizeof bytes);
    }
}

/* Of channel `j` of four; round: behind the biases. */
static fixed_rounding quad_rounding(const int32_t *round, uint32_t j, int32_t zero, int is_exact) {
    if (!is_exact) return rounding_of(round[j], zero, 0, 0, 0);
    if (round[0] < 0) return wide(round + 1, j, zero);
    const int32_t e = round[0] >> 8 * j & 0xff;
    return rounding_of(round[1 + j], (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)), e, 1, -1);
}

static void quads(const te_conv_tiles_args *a, int is_exact) {
    const uint32_t *w = a->weights;
    uint32_t *pair = malloc(8 * a->groups);
    __m256i *taps = new_taps(a);
    if (!pair) abort();
    for (uint32_t c = 0; c < a->channels; c += 4) {
        const uint32_t base = c + 4 <= a->channels ? c : a->channels - 4;
        const int32_t *tail = (const int32_t *)(w + 2 + 4 * a->groups), *round = tail + 2;
        const int ordinary = is_exact && round[0] >= 0;
        for (uint32_t j = 0; j < 4; j++) {
            const fixed_rounding r = quad_rounding(round, j, a->zero, is_exact);
            const int32_t bias = j & 1 ? ordinary ? tail[j / 2] / 2 : tail[j / 2] : (int32_t)w[j / 2];
            if (!(j & 1)) part(w + 2 + j / 2, a->groups, pair);
            widen_channel(pair + (j & 1), a->groups, taps);
            make_channel(a, taps, bias, &r, base + j);
        }
        w = (const uint32_t *)round + (!is_exact  ? TE_CONV_QUADS_FAST_WORDS
                                       : ordinary ? TE_CONV_QUADS_EXACT_WORDS
                                                  : TE_CONV_QUADS_WIDE_WORDS);
    }
    free(taps);
    free(pair);
}

void te_conv_quads_fast(const te_conv_tiles_args *args) {
    quads(args, 0);
}

void te_conv_quads_exact(const te_conv_tiles_args *args) {
    quads(args, 1);
}

#define TILES(name, round_words, rounding)                                                                   \
    void name(const te_conv_tiles_args *args) {                                                              \
        tiles(args, round_words, rounding);                                                                  \
    }
TILES(te_conv_tiles_exact, TE_CONV_ROUND_EXACT, exact)
TILES(te_conv_tiles_exact_doubled, TE_CONV_ROUND_EXACT, doubled)
TILES(te_conv_tiles_fast, TE_CONV_ROUND_FAST, fast)
TILES(te_conv_tiles_wide, TE_CONV_ROUND_WIDE, wide)
TILES(te_conv_tiles_small_exact, TE_CONV_ROUND_EXACT, exact)
TILES(te_conv_tiles_small_fast, TE_CONV_ROUND_FAST, fast)
TILES(te_conv_tiles_small_wide, TE_CONV_ROUND_WIDE, wide)
