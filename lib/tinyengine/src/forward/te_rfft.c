/* Real Fourier transform: a first stage that takes the samples in its order, stages of radix 4 in place, and the
 * step from the transform of pairs to that of single samples. */
#include "tinyengine/te_rfft.h"

#include "../support/te_complex.h"

/* Pair number i of the samples. */
TE_INLINE uint32_t samples_at(const int16_t *x, uint32_t i, uint32_t samples) {
    if (2 * i + 1 < samples) return te_load_word(x + 2 * i);
    return 2 * i < samples ? (uint16_t)x[2 * i] : 0;
}

/* Numbers a, b, c, d at y, each `apart` behind the one before it: those without twiddles. */
TE_INLINE void butterfly(int16_t *y, uint32_t apart, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    const uint32_t even = te_complex_add(a, c), odd = te_complex_sub(a, c);
    const uint32_t sum = te_complex_add(b, d), difference = te_complex_sub(b, d);
    te_store_word(y, te_complex_add(even, sum));
    te_store_word(y + 2 * apart, te_complex_sub_i(odd, difference));
    te_store_word(y + 4 * apart, te_complex_sub(even, sum));
    te_store_word(y + 6 * apart, te_complex_add_i(odd, difference));
}

/* Its twiddles are 1, which leaves numbers of 15 bits as they are. */
static void first_stage(const te_rfft_params *p, const int16_t *x, int16_t *y) {
    const uint32_t n = p->length / p->radix, samples = p->samples;
    if (p->radix == 2) {
        for (uint32_t g = 0; g < n; g++, y += 4) {
            const uint32_t i = p->first[g];
            const uint32_t a = te_complex_divided(samples_at(x, i, samples), 2);
            const uint32_t b = te_complex_divided(samples_at(x, i + n, samples), 2);
            te_store_word(y, te_complex_add(a, b));
            te_store_word(y + 2, te_complex_sub(a, b));
        }
        return;
    }
    for (uint32_t g = 0; g < n; g++, y += 8) {
        const uint32_t i = p->first[g];
        butterfly(y, 1, te_complex_divided(samples_at(x, i, samples), 4),
                  te_complex_divided(samples_at(x, i + n, samples), 4),
                  te_complex_divided(samples_at(x, i + 2 * n, samples), 4),
                  te_complex_divided(samples_at(x, i + 3 * n, samples), 4));
    }
}

/* Transforms of 4 * quarter numbers from four of a quarter; the twiddles of one place serve all of them. */
static const int16_t *stage(uint32_t length, uint32_t quarter, const int16_t *twiddles, int16_t *y) {
    for (uint32_t k = 0; k < quarter; k++, twiddles += 6) {
        const uint32_t t1 = te_load_word(twiddles), t2 = te_load_word(twiddles + 2),
                       t3 = te_load_word(twiddles + 4);
        int16_t *const end = y + 2 * length;
        for (int16_t *at = y + 2 * k; at < end; at += 8 * quarter) {
            const uint32_t a = te_complex_divided(te_load_word(at), 4);
            const uint32_t b = te_complex_divided(te_load_word(at + 2 * quarter), 4);
            const uint32_t c = te_complex_divided(te_load_word(at + 4 * quarter), 4);
            const uint32_t d = te_complex_divided(te_load_word(at + 6 * quarter), 4);
            butterfly(at, quarter, a, te_complex_times(b, t1), te_complex_times(c, t2),
                      te_complex_times(d, t3));
        }
    }
    return twiddles;
}

/* y[k] and y[length - k] from the two that lie there. */
static void split(uint32_t length, const int16_t *twiddles, int16_t *y) {
    const uint32_t half = te_complex_divided(te_load_word(y), 2), turned = half >> 16 | half << 16;
    te_store_word(y, te_complex_add(half, turned) & 0xffffu);
    te_store_word(y + 2 * length, te_complex_sub(half, turned) & 0xffffu);
    int16_t *low = y + 2, *high = y + 2 * length - 2;
    for (; low <= high; low += 2, high -= 2, twiddles += 2) {
        const uint32_t z = te_load_word(high);
        const uint32_t a = te_complex_divided(te_load_word(low), 2);
        const uint32_t b = te_complex_divided(te_complex_join(z, te_complex_sub(0, z)), 2);
        const uint32_t both = te_complex_add(a, b);
        const uint32_t apart = te_complex_times(te_complex_sub(a, b), te_load_word(twiddles));
        te_store_word(low, te_complex_mean(both, apart));
        te_store_word(high,
                      te_complex_join(te_complex_mean_diff(both, apart), te_complex_mean_diff(apart, both)));
    }
}

void te_rfft_s16(const te_rfft_params *p, const int16_t *x, int16_t *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->samples, y += 2 * p->length + 2) {
        first_stage(p, x, y);
        const int16_t *twiddles = p->twiddles;
        for (uint32_t quarter = p->radix; quarter < p->length; quarter *= 4)
            twiddles = stage(p->length, quarter, twiddles, y);
        split(p->length, p->split, y);
    }
}
