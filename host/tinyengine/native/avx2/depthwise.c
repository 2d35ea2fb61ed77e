/* Twins of te_depthwise_s8 and of the kernels of te_depthwise_map.h, 16 channels side by side. */
#include "tinyengine/te_conv.h"
#include "tinyengine/te_depthwise_map.h"

#include "lanes.h"
#include "support/te_depthwise_plane.h"
#include "support/te_requant_fixed.h"

void te_depthwise_s8_portable(const te_depthwise_params *p, const int8_t *x, int8_t *y);

enum { MAX_PAIRS = 64 };

/* 16 channels of a pixel of a picture with its padding, less the zero point. */
typedef int16_t pixel_16[16];

static pixel_16 *new_picture(int32_t rows, int32_t columns) {
    return host_memory(sizeof(pixel_16) * (size_t)(rows * columns));
}

/* Taps of 16 channels, two taps in a word: of the channels 0-3, 8-11 and of the others. */
typedef struct taps {
    __m256i low[MAX_PAIRS], high[MAX_PAIRS];
    int32_t at[MAX_PAIRS][2]; /* pixels from the window's first one */
    uint32_t pairs;
} taps;

static void interleave(__m256i a, __m256i b, __m256i *low, __m256i *high) {
    *low = _mm256_unpacklo_epi16(a, b);
    *high = _mm256_unpackhi_epi16(a, b);
}

/* w: [tap][16]; `count` of them, `columns` wide windows, dilated. */
static void make_taps(taps *t, pixel_16 *w, int32_t kh, int32_t kw, int32_t dh, int32_t dw, int32_t columns) {
    static const int16_t nothing[16];
    const int32_t count = kh * kw;
    t->pairs = (uint32_t)(count + 1) / 2;
    for (int32_t n = 0; n < count; n += 2) {
        const int32_t second = n + 1 < count ? n + 1 : n; /* with weights of 0 */
        interleave(load_16(w[n]), load_16(n + 1 < count ? w[n + 1] : nothing), &t->low[n / 2],
                   &t->high[n / 2]);
        t->at[n / 2][0] = n / kw * dh * columns + n % kw * dw;
        t->at[n / 2][1] = second / kw * dh * columns + second % kw * dw;
    }
}

/* The sums of 16 channels under one window. */
static void window_sums(pixel_16 *x, const taps *t, int32_t *sums) {
    __m256i a = _mm256_setzero_si256(), b = a, low, high;
    for (uint32_t n = 0; n < t->pairs; n++) {
        interleave(load_16(x[t->at[n][0]]), load_16(x[t->at[n][1]]), &low, &high);
        a = _mm256_add_epi32(a, _mm256_madd_epi16(low, t->low[n]));
        b = _mm256_add_epi32(b, _mm256_madd_epi16(high, t->high[n]));
    }
    store_8(sums, _mm256_permute2x128_si256(a, b, 0x20));
    store_8(sums + 8, _mm256_permute2x128_si256(a, b, 0x31));
}

/* ---- te_depthwise_s8 ---- */

void te_depthwise_s8(const te_depthwise_params *p, const int8_t *x, int8_t *y) {
    const te_window *k = &p->window;
    const uint32_t channels = p->in.c, count = (uint32_t)k->kh * k->kw;
    if (p->multiplier != 1 || channels % 16 || count > 2 * MAX_PAIRS) {
        te_depthwise_s8_portable(p, x, y);
        return;
    }
    const int32_t rows = (p->out.h - 1) * k->sh + (k->kh - 1) * k->dh + 1 + k->pad_top + p->in.h;
    const int32_t columns = (p->out.w - 1) * k->sw + (k->kw - 1) * k->dw + 1 + k->pad_left + p->in.w;
    pixel_16 *picture = new_picture(rows, columns);
    int8_t *whole = host_memory((size_t)p->out.h * p->out.w * channels); /* y may overlap x */
    for (uint32_t c = 0; c < channels; c += 16) {
        pixel_16 w[2 * MAX_PAIRS];
        taps t;
        for (int32_t iy = 0; iy < p->in.h; iy++)
            for (int32_t ix = 0; ix < p->in.w; ix++)
                widen_less(x + (uint32_t)(iy * p->in.w + ix) * channels + c, 16, p->in_zero,
                           picture[(iy + k->pad_top) * columns + ix + k->pad_left]);
        for (uint32_t n = 0; n < count; n++) widen_less(p->weights + n * channels + c, 16, 0, w[n]);
        make_taps(&t, w, k->kh, k->kw, k->dh, k->dw, columns);
        int8_t *to = whole + c;
        for (int32_t oy = 0; oy < p->out.h; oy++)
            for (int32_t ox = 0; ox < p->out.w; ox++, to += channels) {
                int32_t sums[16];
                window_sums(picture + oy * k->sh * columns + ox * k->sw, &t, sums);
                requantize_row(sums, p->bias, &p->requant, c, 16, to);
            }
    }
    memcpy(y, whole, (size_t)p->out.h * p->out.w * channels);
    free(whole);
    free(picture);
}

/* ---- te_depthwise_map.h ---- */

/* How 16 channels are rounded, the first 8 and the others, and their biases; `count` of them exist. */
typedef struct map_rounding {
    fixed_rounding half[2];
    __m256i bias[2];
} map_rounding;

static map_rounding rounding_of(const te_depthwise_map_args *a, const te_depthwise_shape *k, uint32_t first,
                                uint32_t count) {
    int32_t bias[16] = {0}, m[16] = {0}, c[16] = {0}, e[16] = {0};
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t word = (uint32_t)a->constants[2 * (first + i)];
        bias[i] = (int32_t)(word << 8) >> 8;
        m[i] = a->constants[2 * (first + i) + 1];
        e[i] = k->fast ? 0 : (int32_t)(word >> 24);
        c[i] = k->fast ? a->out_zero : (int32_t)((uint32_t)(2 * a->out_zero + 1) << e[i]) >> 1;
    }
    const __m256i l = _mm256_set1_epi32(k->fast ? 0 : 1), s = _mm256_set1_epi32(k->fast ? 0 : -1);
    map_rounding r;
    for (uint32_t i = 0; i < 2; i++) {
        const fixed_rounding half = {load_8(m + 8 * i), load_8(c + 8 * i), load_8(e + 8 * i), l, s};
        r.half[i] = half;
        r.bias[i] = load_8(bias + 8 * i);
    }
    return r;
}

static void map_channels(const te_depthwise_map_args *a, const te_depthwise_shape *k, const int8_t *x,
                         int8_t *y, uint32_t first, uint32_t count) {
    const int32_t words = te_depthwise_row_words(k), rows = (int32_t)(a->staged_end - a->staged) / words;
    const int32_t above = k->kernel; /* rows of padding, as many as any window needs */
    const int32_t columns = k->width + 2 * k->kernel, size = k->kernel * k->kernel;
    pixel_16 *picture = new_picture(rows + 2 * above, columns);
    for (int32_t r = 0; r < rows; r++, x += a->line) {
        if (a->staged + r * words == a->first_end) x -= a->wrapped;
        for (int32_t i = 0; i < k->width; i++)
            widen_less(x + i * a->pitch, count, a->zero, picture[(r + above) * columns + k->pad + i]);
    }
    pixel_16 w[2 * MAX_PAIRS] = {{0}};
    taps t;
    for (uint32_t c = 0; c < count; c++)
        for (int32_t n = 0; n < size; n++) w[n][c] = a->packed[(int32_t)(first + c) * size + n];
    make_taps(&t, w, k->kernel, k->kernel, 1, 1, columns);
    const map_rounding rounding = rounding_of(a, k, first, count);
    for (int32_t r = 0; r < (int32_t)a->rows; r++, y += a->out_line)
        for (int32_t i = 0; i < k->outputs; i++) {
            int32_t sums[16];
            int8_t bytes[16];
            window_sums(picture + (a->top + r * k->by + above) * columns + i * k->by, &t, sums);
            for (uint32_t n = 0; n < 2; n++)
                store_bytes(
                    bytes + 8 * n,
                    round_fixed(_mm256_add_epi32(load_8(sums + 8 * n), rounding.bias[n]), &rounding.half[n]));
            if (count == 16)
                memcpy(y + i * a->pitch, bytes, 16);
            else
                memcpy(y + i * a->pitch, bytes, count);
        }
    free(picture);
}

__attribute__((noinline)) static void run(const te_depthwise_map_args *a, const te_depthwise_shape *k) {
    for (uint32_t c = 0; c < a->channels; c += 16)
        map_channels(a, k, a->x + c, a->y + c, c, a->channels - c < 16 ? a->channels - c : 16);
}

#define TE_DEPTHWISE_RUN(name, ...)                                                                          \
    void name(const te_depthwise_map_args *args) {                                                           \
        static const te_depthwise_shape k = {__VA_ARGS__};                                                   \
        run(args, &k);                                                                                       \
    }
TE_DEPTHWISE_MAPS(TE_DEPTHWISE_SHAPES_ONE, TE_DEPTHWISE_SHAPES_BY_2)
