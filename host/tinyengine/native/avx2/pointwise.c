/* Twins of te_conv2d_s8 and te_conv2d_trained_s8 for 1x1 kernels; other shapes go to the portable ones. */
#include "tinyengine/te_trained.h"

#include "lanes.h"

void te_conv2d_s8_portable(const te_conv2d_params *p, const int8_t *x, int8_t *y);
void te_conv2d_trained_s8_portable(const te_conv2d_trained_params *p, const int8_t *x, int8_t *y, void *scratch);

static int is_pointwise(const te_conv2d_params *p) {
    const te_window *k = &p->window;
    return k->kh == 1 && k->kw == 1 && k->sh == 1 && k->sw == 1 && p->in.h == p->out.h && p->in.w == p->out.w &&
           p->in.c % 8 == 0;
}

/* Sums of 4 pixels, `channels` apart, under one filter. */
static __m128i dot_4(const int16_t *x, uint32_t channels, const int8_t *w) {
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
    uint32_t k = 0;
    for (; k + 16 <= channels; k += 16) {
        const __m256i taps = widen_16(w + k);
        a = _mm256_add_epi32(a, _mm256_madd_epi16(taps, load_16(x + k)));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(taps, load_16(x + channels + k)));
        c = _mm256_add_epi32(c, _mm256_madd_epi16(taps, load_16(x + 2 * channels + k)));
        d = _mm256_add_epi32(d, _mm256_madd_epi16(taps, load_16(x + 3 * channels + k)));
    }
    __m128i sums = sums_of_4(a, b, c, d);
    if (k < channels) { /* 8 more */
        const __m128i taps = _mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)(w + k)));
        __m128i rest[4];
        for (uint32_t i = 0; i < 4; i++)
            rest[i] = _mm_madd_epi16(taps, _mm_loadu_si128((const __m128i *)(const void *)(x + i * channels + k)));
        sums = _mm_add_epi32(sums, _mm_hadd_epi32(_mm_hadd_epi32(rest[0], rest[1]), _mm_hadd_epi32(rest[2], rest[3])));
    }
    return sums;
}

static void pointwise(const te_conv2d_params *p, const int8_t *weights, const int8_t *x, int8_t *y) {
    const uint32_t pixels = (uint32_t)p->in.h * p->in.w, channels = p->in.c, outputs = p->out.c;
    int16_t *wide = host_memory(2 * (pixels + 3) * channels); /* all of x, for y may overlap it */
    int32_t *sums = host_memory(4 * 4 * outputs);
    widen_less(x, pixels * channels, p->in_zero, wide);
    for (uint32_t i = 0; i < pixels; i += 4) {
        for (uint32_t o = 0; o < outputs; o++) {
            const __m128i four = dot_4(wide + i * channels, channels, weights + o * channels);
            sums[o] = _mm_extract_epi32(four, 0);
            sums[outputs + o] = _mm_extract_epi32(four, 1);
            sums[2 * outputs + o] = _mm_extract_epi32(four, 2);
            sums[3 * outputs + o] = _mm_extract_epi32(four, 3);
        }
        for (uint32_t k = 0; k < 4 && i + k < pixels; k++)
            requantize_row(sums + k * outputs, p->bias, &p->requant, 0, outputs, y + (i + k) * outputs);
    }
    free(sums);
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
