/* Twins of te_conv2d_s8 and te_conv2d_trained_s8 for 1x1 kernels; other shapes go to the portable ones.
 *
 * Pixels are the lanes: two neighbouring channels of 8 pixels in a vector, times the same two weights. */
#include "tinyengine/te_trained.h"

#include "lanes.h"

void te_conv2d_s8_portable(const te_conv2d_params *p, const int8_t *x, int8_t *y);
void te_conv2d_trained_s8_portable(const te_conv2d_trained_params *p, const int8_t *x, int8_t *y,
                                   void *scratch);

enum { OUTPUTS = 4, VECTORS = 2 }; /* at a time: so many filters, so many times 8 pixels */

static int is_pointwise(const te_conv2d_params *p) {
    const te_window *k = &p->window;
    return k->kh == 1 && k->kw == 1 && k->sh == 1 && k->sw == 1 && p->in.h == p->out.h &&
           p->in.w == p->out.w && p->in.c % 2 == 0 && p->out.c % 8 == 0 && !p->requant.per_tensor;
}

/* x - zero as [pair of channels][pixel][2], `pitch` pixels. */
static void pair_channels(const te_conv2d_params *p, const int8_t *x, uint32_t pixels, uint32_t pitch,
                          int16_t *to) {
    const uint32_t channels = p->in.c;
    const __m256i zero = _mm256_set1_epi16(p->in_zero);
    for (uint32_t i = 0; i < pixels; i++, x += channels) {
        int32_t words[8];
        uint32_t k = 0;
        for (; k + 16 <= channels; k += 16) {
            store_8(words, _mm256_sub_epi16(widen_16(x + k), zero));
            for (uint32_t n = 0; n < 8; n++) memcpy(to + 2 * ((k / 2 + n) * pitch + i), words + n, 4);
        }
        for (; k < channels; k++) to[2 * (k / 2 * pitch + i) + k % 2] = (int16_t)(x[k] - p->in_zero);
    }
}

/* Sums of OUTPUTS filters over 8 * VECTORS pixels; filters are `channels` apart, sums `pitch`. */
static void block(const int16_t *x, uint32_t pitch, const int16_t *w, uint32_t channels, int32_t *sums) {
    __m256i acc[OUTPUTS][VECTORS];
    for (uint32_t o = 0; o < OUTPUTS; o++)
        for (uint32_t v = 0; v < VECTORS; v++) acc[o][v] = _mm256_setzero_si256();
    for (uint32_t k = 0; k < channels; k += 2, x += 2 * pitch) {
        const __m256i first = load_16(x), second = load_16(x + 16);
        for (uint32_t o = 0; o < OUTPUTS; o++) {
            int32_t pair;
            memcpy(&pair, w + o * channels + k, sizeof pair);
            const __m256i taps = _mm256_set1_epi32(pair);
            acc[o][0] = _mm256_add_epi32(acc[o][0], _mm256_madd_epi16(first, taps));
            acc[o][1] = _mm256_add_epi32(acc[o][1], _mm256_madd_epi16(second, taps));
        }
    }
    for (uint32_t o = 0; o < OUTPUTS; o++)
        for (uint32_t v = 0; v < VECTORS; v++) store_8(sums + o * pitch + 8 * v, acc[o][v]);
}

/* 8 pixels of 8 neighbouring channels from `first` on; sums are `pitch` apart from channel to channel. */
static void finish(const te_conv2d_params *p, const int32_t *sums, uint32_t pitch, uint32_t first,
                   uint32_t pixels, int8_t *y) {
    const te_requant *q = &p->requant;
    __m128i rows[8]; /* of a channel each */
    for (uint32_t n = 0; n < 8; n++) {
        const uint32_t c = first + n;
        const __m256i sum = _mm256_add_epi32(load_8(sums + n * pitch), _mm256_set1_epi32(p->bias[c]));
        __m256i out = scale_8(sum, _mm256_set1_epi32(q->multiplier[c]), _mm256_set1_epi32(q->shift[c]));
        out = _mm256_add_epi32(out, _mm256_set1_epi32(q->zero));
        out = _mm256_min_epi32(_mm256_max_epi32(out, _mm256_set1_epi32(q->min)), _mm256_set1_epi32(q->max));
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(out), _mm256_extracti128_si256(out, 1));
        rows[n] = _mm_packs_epi16(words, words);
    }
    __m128i pairs[4], quads[4];
    for (uint32_t n = 0; n < 4; n++) pairs[n] = _mm_unpacklo_epi8(rows[2 * n], rows[2 * n + 1]);
    for (uint32_t n = 0; n < 2; n++) {
        quads[2 * n] = _mm_unpacklo_epi16(pairs[2 * n], pairs[2 * n + 1]);     /* 4 channels of pixels 0-3 */
        quads[2 * n + 1] = _mm_unpackhi_epi16(pairs[2 * n], pairs[2 * n + 1]); /* and 4-7 */
    }
    int8_t bytes[8][8]; /* [pixel][channel] */
    for (uint32_t n = 0; n < 2; n++) {
        _mm_storeu_si128((__m128i *)(void *)bytes[4 * n], _mm_unpacklo_epi32(quads[n], quads[2 + n]));
        _mm_storeu_si128((__m128i *)(void *)bytes[4 * n + 2], _mm_unpackhi_epi32(quads[n], quads[2 + n]));
    }
    for (uint32_t i = 0; i < pixels; i++) memcpy(y + i * p->out.c + first, bytes[i], 8);
}

static void pointwise(const te_conv2d_params *p, const int8_t *weights, const int8_t *x, int8_t *y) {
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, channels = p->in.c, outputs = p->out.c;
    const uint32_t step = 8 * VECTORS, pitch = (pixels + step - 1) / step * step;
    int16_t *wide = host_memory(2 * channels * pitch); /* all of x, for y may overlap it */
    int16_t *taps = host_memory(2 * 8 * channels);
    int32_t *sums = host_memory(4 * 8 * pitch);
    pair_channels(p, x, pixels, pitch, wide);
    for (uint32_t c = 0; c < outputs; c += 8, weights += 8 * channels) {
        widen_less(weights, 8 * channels, 0, taps);
        for (uint32_t i = 0; i < pitch; i += step)
            for (uint32_t o = 0; o < 8; o += OUTPUTS)
                block(wide + 2 * i, pitch, taps + o * channels, channels, sums + o * pitch + i);
        for (uint32_t i = 0; i < pixels; i += 8)
            finish(p, sums + i, pitch, c, pixels - i < 8 ? pixels - i : 8, y + i * outputs);
    }
    free(sums);
    free(taps);
    free(wide);
}

void te_conv2d_s8(const te_conv2d_params *p, const int8_t *x, int8_t *y) {
    if (is_pointwise(p))
        pointwise(p, p->weights, x, y);
    else
        te_conv2d_s8_portable(p, x, y);
}

void te_conv2d_trained_s8(const te_conv2d_trained_params *p, const int8_t *x, int8_t *y, void *scratch) {
    const uint32_t channels = p->conv.in.c, outputs = p->conv.out.c;
    const te_trained_part *t = &p->trained;
    if (!is_pointwise(&p->conv)) {
        te_conv2d_trained_s8_portable(p, x, y, scratch);
        return;
    }
    int8_t *merged = host_memory(channels * outputs);
    memcpy(merged, p->conv.weights, channels * outputs);
    const int8_t *from = t->values;
    for (uint32_t o = 0; o < outputs; o++)
        for (uint32_t j = 0; j < t->count; j++) merged[o * channels + t->channels[j]] = *from++;
    pointwise(&p->conv, merged, x, y);
    free(merged);
}
