/* Twins of the products of te_conv_fast.h: two pixels and one channel at a time, over widened weights. */
#include "tinyengine/te_conv_fast.h"

#include "lanes.h"
#include "support/te_requant_fixed.h"

typedef int32_t round_fn(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero);

static inline int32_t round_doubled(int32_t doubled, uint32_t channel, const int32_t *round, int32_t zero) {
    const int32_t e = 1 + (round[2] >> 8 * channel & 0xff);
    return te_round_exact(doubled, round[channel], (int32_t)((uint32_t)(2 * zero + 1) << (e - 1)), e);
}

static inline int32_t round_exact(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    return round_doubled(2 * acc, channel, round, zero);
}

static inline int32_t round_wide(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    const int32_t *r = round + 5 * channel;
    (void)zero;
    return te_round_wide(acc, r[0], r[1], r[2], r[3], r[4]);
}

static inline int32_t round_fast(int32_t acc, uint32_t channel, const int32_t *round, int32_t zero) {
    return te_round_fast(acc, round[channel], zero);
}

/* Weights of one channel as they meet a pair of pixels: per group k0 k2 k0 k2 k1 k3 k1 k3, int16. `groups` is
 * rounded up to even, with zeros. */
static void widen_channel(const uint32_t *pair, uint32_t channel, uint32_t groups, __m256i *to) {
    const __m128i order = _mm_setr_epi8(0, 2, 0, 2, 1, 3, 1, 3, 8, 10, 8, 10, 9, 11, 9, 11);
    for (uint32_t g = 0; g < groups; g += 2) {
        const uint32_t *from = pair + 2 + 2 * g + channel;
        const __m128i bytes = _mm_setr_epi32((int32_t)from[0], 0, g + 1 < groups ? (int32_t)from[2] : 0, 0);
        *to++ = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(bytes, order));
    }
}

/* Sums of both pixels of a pair. */
static void dot(const uint32_t *column, const __m256i *w, uint32_t groups, int32_t bias, int32_t sums[2]) {
    __m256i sum = _mm256_setzero_si256();
    uint32_t g = 0;
    for (; g + 2 <= groups; g += 2, column += 8)
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(load_8((const int32_t *)column), *w++));
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    if (g < groups)
        half = _mm_add_epi32(half, _mm_madd_epi16(_mm_loadu_si128((const __m128i *)(const void *)column),
                                                  _mm256_castsi256_si128(*w)));
    half = _mm_add_epi32(_mm_add_epi32(half, _mm_srli_si128(half, 8)), _mm_set1_epi32(bias));
    sums[0] = _mm_extract_epi32(half, 0);
    sums[1] = _mm_extract_epi32(half, 1);
}

static inline void tiles(const te_conv_tiles_args *a, uint32_t round_words, round_fn *round) {
    const uint32_t *w = a->weights;
    const uint32_t words = 2 + 2 * a->groups, pitch = 4 * a->groups + 2;
    __m256i *wide = aligned_alloc(32, 32 * ((a->groups + 1) / 2));
    if (!wide) abort();
    int8_t *last = a->out + 2 * ((int32_t)a->pairs - 1) * (int32_t)a->channels; /* last whole pair */
    for (uint32_t c = 0; c < a->channels; c += 2, w += words + round_words) {
        const uint32_t base = c + 1 < a->channels || !c ? c : c - 1;
        const int32_t *constants = (const int32_t *)(w + words);
        for (uint32_t j = 0; j < 2 && base + j < a->channels; j++) {
            const uint32_t *column = a->columns;
            widen_channel(w, j, a->groups, wide);
            for (uint32_t i = 0; i < a->pairs + a->odd; i++, column += pitch) {
                int32_t sums[2];
                dot(column, wide, a->groups, (int32_t)w[j], sums);
                const int32_t *out = (const int32_t *)(column + 4 * a->groups);
                last[out[0] + (int32_t)(base + j)] = (int8_t)round(sums[0], j, constants, a->zero);
                if (i < a->pairs)
                    last[out[1] + (int32_t)(base + j)] = (int8_t)round(sums[1], j, constants, a->zero);
            }
        }
    }
    free(wide);
}

#define TILES(name, round_words, round)                                                                      \
    void name(const te_conv_tiles_args *args) {                                                              \
        tiles(args, round_words, round);                                                                     \
    }
TILES(te_conv_tiles_exact, TE_CONV_ROUND_EXACT, round_exact)
TILES(te_conv_tiles_exact_16, TE_CONV_ROUND_EXACT, round_exact)
TILES(te_conv_tiles_exact_28, TE_CONV_ROUND_EXACT, round_exact)
TILES(te_conv_tiles_exact_doubled, TE_CONV_ROUND_EXACT, round_doubled)
TILES(te_conv_tiles_exact_doubled_16, TE_CONV_ROUND_EXACT, round_doubled)
TILES(te_conv_tiles_exact_doubled_28, TE_CONV_ROUND_EXACT, round_doubled)
TILES(te_conv_tiles_fast, TE_CONV_ROUND_FAST, round_fast)
TILES(te_conv_tiles_fast_16, TE_CONV_ROUND_FAST, round_fast)
TILES(te_conv_tiles_fast_28, TE_CONV_ROUND_FAST, round_fast)
TILES(te_conv_tiles_wide, TE_CONV_ROUND_WIDE, round_wide)
TILES(te_conv_tiles_small_exact, TE_CONV_ROUND_EXACT, round_exact)
TILES(te_conv_tiles_small_fast, TE_CONV_ROUND_FAST, round_fast)
TILES(te_conv_tiles_small_wide, TE_CONV_ROUND_WIDE, round_wide)
