#include "tinyengine/te_layers_s16.h"

#include "../support/te_conv_fast_run.h"
#include "../support/te_pairs.h"
#include "../support/te_taps.h"
#include "tinyengine/te_int16.h"

/* ---- convolution --------------------------------------------------------------------------------------- */

static void put_value(uint32_t *column, uint32_t k, uint32_t pixel, const int8_t *from) {
    memcpy((int8_t *)(column + 2 * (k >> 1) + pixel) + 2 * (k & 1), from, 2);
}

/* Runs of an even number of values: words. */
static void gather_words(const te_conv_gather_args *a, uint32_t *column) {
    for (uint32_t r = 0; r < a->n_runs; r++) {
        te_conv_run *run = &a->runs[r];
        const int8_t *p0 = a->base + run->p0, *p1 = a->base + run->p1;
        for (uint32_t g = a->run_groups; g; g--, p0 += 4, p1 += 4, column += 2) {
            column[0] = te_load_word(p0);
            column[1] = te_load_word(p1);
        }
        run->p0 += run->step;
        run->p1 += run->step;
    }
}

static void gather_values(const te_conv_gather_args *a, uint32_t *column) {
    const uint32_t values = 2 * a->run_groups + a->run_tail / 2;
    uint32_t k = 0;
    for (uint32_t r = 0; r < a->n_runs; r++) {
        te_conv_run *run = &a->runs[r];
        for (uint32_t i = 0; i < values; i++, k++) {
            put_value(column, k, 0, a->base + run->p0 + 2 * i);
            put_value(column, k, 1, a->base + run->p1 + 2 * i);
        }
        run->p0 += run->step;
        run->p1 += run->step;
    }
}

void te_conv_gather_s16(const te_conv_gather_args *args) {
    uint32_t *column = args->columns;
    for (uint32_t pair = 0; pair < args->pairs; pair++, column += 4 * args->groups + 2) {
        uint32_t *last = column + 4 * (args->groups - 1);
        last[0] = last[1] = last[2] = last[3] = 0; /* what meets no weight */
        if (args->run_tail)
            gather_values(args, column);
        else
            gather_words(args, column);
    }
}

static void clamp(int16_t *y, uint32_t count, int32_t low, int32_t high) {
    if (low <= INT16_MIN && high >= INT16_MAX) return;
    for (uint32_t i = 0; i < count; i++) y[i] = (int16_t)te_clamp(y[i], low, high);
}

void te_conv_s16(const te_conv_s16_params *p, const int16_t *x, int16_t *y, void *scratch) {
    const te_conv_fast_params *conv = &p->conv;
    const te_row_view whole = {(int8_t *)(uintptr_t)x, (uint32_t)conv->in.w * conv->in.c,
                               conv->in.h}; /* only read */
    te_conv_fast_run(conv, &whole, (int8_t *)y, 0, conv->out.h, scratch);
    clamp(y, (uint32_t)conv->out.h * conv->out.w * (conv->out.c / 2u), p->min, p->max);
}

/* ---- depthwise ----------------------------------------------------------------------------------------- */

/* Bytes 1 and 3 as int16: one instruction. */
#if TE_DSP
static inline uint32_t widen_odd(uint32_t bytes) {
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(bytes));
    return pair;
}
#else
static inline uint32_t widen_odd(uint32_t bytes) {
    return te_widen_odd(bytes);
}
#endif

/* Output of a sum; k: bias, M, C, e. */
static inline int32_t round_short(int32_t sum, const int32_t *k) {
    const int64_t start = (int64_t)((uint64_t)(uint32_t)k[2] << 32);
    return (int32_t)(((int64_t)(sum + k[0]) * k[1] + start) >> 32) >> k[3];
}

typedef struct window_taps {
    te_taps v, h;
} window_taps;

/* Sums of four channels, of which `corner` is the first at the first tap. */
TE_INLINE void four(const te_depthwise_s16_params *p, const window_taps *taps, const int16_t *corner,
                    const uint32_t *weights, int32_t sums[4]) {
    const int32_t channels = p->in.c, step = p->window.dw * channels,
                  line = p->window.dh * p->in.w * channels;
    const int32_t columns = taps->h.end - taps->h.first;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int32_t ky = taps->v.first; ky < taps->v.end; ky++, corner += line) {
        const uint32_t *w = weights + ky * p->window.kw + taps->h.first;
        const int16_t *x = corner;
        for (int32_t k = columns; k > 0; k--, x += step) {
            const uint32_t low = te_load_word(x), high = te_load_word(x + 2), bytes = *w++;
            const uint32_t even = te_widen_even(bytes), odd = widen_odd(bytes);
            a = te_smlabb(low, even, a);
            b = te_smlatb(low, odd, b);
            c = te_smlabt(high, even, c);
            d = te_smlatt(high, odd, d);
        }
    }
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* The same of channel `i` of a word alone. */
static int32_t one(const te_depthwise_s16_params *p, const window_taps *taps, const int16_t *corner,
                   const uint32_t *weights, uint32_t i) {
    const int32_t channels = p->in.c, step = p->window.dw * channels,
                  line = p->window.dh * p->in.w * channels;
    int32_t sum = 0;
    for (int32_t ky = taps->v.first; ky < taps->v.end; ky++, corner += line) {
        const uint32_t *w = weights + ky * p->window.kw;
        const int16_t *x = corner + i;
        for (int32_t kx = taps->h.first; kx < taps->h.end; kx++, x += step)
            sum += *x * (int8_t)(uint8_t)(w[kx] >> 8 * i);
    }
    return sum;
}

void te_depthwise_s16(const te_depthwise_s16_params *p, const int16_t *x, int16_t *y) {
    const te_window *k = &p->window;
    const uint32_t channels = p->in.c, words = (uint32_t)k->kh * k->kw;
    const int32_t low = p->min, high = p->max;
    for (int32_t oy = 0; oy < p->out.h; oy++) {
        window_taps taps = {te_taps_of(oy, k->sh, k->pad_top, k->kh, k->dh, p->in.h), {0, 0, 0}};
        const int32_t top = taps.v.first < taps.v.end ? taps.v.origin + taps.v.first * k->dh : 0;
        for (int32_t ox = 0; ox < p->out.w; ox++) {
            taps.h = te_taps_of(ox, k->sw, k->pad_left, k->kw, k->dw, p->in.w);
            const int32_t left = taps.h.first < taps.h.end ? taps.h.origin + taps.h.first * k->dw : 0;
            const int16_t *corner = x + (top * p->in.w + left) * p->in.c;
            const uint32_t *weights = p->weights;
            const int32_t *constants = p->constants;
            for (uint32_t c = 0; c < channels; c += 4, corner += 4, weights += words) {
                const uint32_t count = channels - c < 4 ? channels - c : 4;
                int32_t sums[4];
                if (count == 4)
                    four(p, &taps, corner, weights, sums);
                else
                    for (uint32_t i = 0; i < count; i++) sums[i] = one(p, &taps, corner, weights, i);
                for (uint32_t i = 0; i < count; i++, constants += 4)
                    *y++ = (int16_t)te_clamp(round_short(sums[i], constants), low, high);
            }
        }
    }
}

/* ---- fully connected ----------------------------------------------------------------------------------- */

typedef struct four_sums {
    int32_t a, b, c, d;
} four_sums;

static inline int32_t add_products(int32_t sum, uint32_t bytes, uint32_t low, uint32_t high) {
    return te_smlad(high, widen_odd(bytes), te_smlad(low, te_widen_even(bytes), sum));
}

static inline four_sums add_group(four_sums s, const uint32_t *w, uint32_t low, uint32_t high) {
    s.a = add_products(s.a, w[0], low, high);
    s.b = add_products(s.b, w[1], low, high);
    s.c = add_products(s.c, w[2], low, high);
    s.d = add_products(s.d, w[3], low, high);
    return s;
}

/* Products of a row with four outputs' weights. */
static four_sums four_outputs(const uint32_t *w, const int16_t *x, uint32_t inputs) {
    four_sums s = {0, 0, 0, 0};
    for (const int16_t *end = x + (inputs & ~3u); x != end; x += 4, w += 4)
        s = add_group(s, w, te_load_word(x), te_load_word(x + 2));
    if (inputs & 3) {
        int16_t last[4] = {0, 0, 0, 0};
        memcpy(last, x, (inputs & 3) * sizeof *x);
        s = add_group(s, w, te_load_word(last), te_load_word(last + 2));
    }
    return s;
}

/* te_scale_real of 32 bits. */
static inline int32_t scale_real(int32_t sum, int64_t m, int32_t down, int32_t up) {
    if (up) return te_scale_real(sum, m, down, up);
    const uint32_t size = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum, low = (uint32_t)m;
    const uint64_t product = (uint64_t)size * (uint32_t)(m >> 32) + ((uint64_t)size * low >> 32);
    if ((uint32_t)product >= UINT32_MAX << 8)
        return te_scale_real(sum, m, down, 0);       /* may round up to a half */
    const uint32_t high = (uint32_t)(product >> 32); /* less than 2^30 */
    const int32_t y = down > 31 ? 0 : (int32_t)((high + (1u << (down - 1))) >> down);
    return sum < 0 ? -y : y;
}

void te_dense_s16(const te_dense_s16_params *p, const int16_t *x, int16_t *y) {
    const uint32_t words = (p->in + 3) / 4 * 4;
    const int32_t low = p->min, high = p->max;
    for (uint32_t row = 0; row < p->rows; row++, x += p->in) {
        const uint32_t *w = p->weights;
        for (uint32_t o = 0; o < p->out; o += 4, w += words) {
            const four_sums four = four_outputs(w, x, p->in);
            const int32_t sums[4] = {four.a, four.b, four.c, four.d};
            for (uint32_t i = 0; i < 4 && o + i < p->out; i++) {
                const te_dense_s16_output *k = &p->outputs[o + i];
                const int32_t scaled = scale_real(sums[i] + k->bias, k->factor, k->down, k->up);
                *y++ = (int16_t)te_clamp(scaled, low, high);
            }
        }
    }
}
