/* Windows, energies, bands, noise, gain, logarithms. */
#include "tinyengine/te_signal.h"

#include "../support/te_complex.h"

void te_signal_window_s16(const te_signal_window_params *p, const int16_t *x, int16_t *y) {
    const uint32_t shift = p->shift;
    for (uint32_t row = 0; row < p->rows; row++) {
        const int16_t *w = p->window, *const end = w + p->samples;
        for (; end - w > 1; w += 2, x += 2, y += 2) {
            const uint32_t a = te_load_word(x), b = te_load_word(w);
            const int32_t low = te_saturate16(te_smlabb(a, b, 0) >> shift);
            const int32_t high = te_saturate16(te_smlatt(a, b, 0) >> shift);
            te_store_word(y, te_pack_low((uint32_t)low, (uint32_t)high));
        }
        if (w < end) *y++ = (int16_t)te_saturate16((*x++ * *w) >> shift);
    }
}

void te_signal_window_wide_s32(const te_signal_window_wide_params *p, const int16_t *x, int32_t *y) {
    for (uint32_t row = 0; row < p->rows; row++)
        for (uint32_t i = 0; i < p->samples; i++) {
            const int64_t product = ((int64_t)*x++ * p->window[i]) >> p->shift;
            *y++ = product > INT32_MAX ? INT32_MAX : product < INT32_MIN ? INT32_MIN : (int32_t)product;
        }
}

/* The magnitude of -32768 is -32768 in 16 bits; where it counts, whatever comes behind it is larger. */
static int32_t largest_magnitude(const int16_t *x, uint32_t samples, uint32_t skip_lowest) {
    int32_t largest = 0, least = 0;
    for (uint32_t i = 0; i < samples; i++) {
        largest = x[i] > largest ? x[i] : largest;
        least = x[i] < least ? x[i] : least;
    }
    if (least > -32768) return largest > -least ? largest : -least;
    largest = 0;
    for (uint32_t i = 0; i < samples; i++) {
        if (skip_lowest && x[i] == -32768) continue;
        largest = x[i] > largest ? x[i] : -x[i] > largest ? (int16_t)-x[i] : largest;
    }
    return largest;
}

void te_signal_scale_s16(const te_signal_scale_params *p, const int16_t *x, int16_t *y, int32_t *bits) {
    uint32_t shift = 0;
    const int32_t largest = largest_magnitude(x, p->samples, p->skip_lowest);
    if (largest > 0 || p->skip_lowest)
        while (shift < 15 && largest < 1 << (14 - shift)) shift++;
    const uint32_t keep =
        ~(((UINT32_C(1) << shift) - 1) << 16); /* what the low half moves into the high one */
    uint32_t i = 0;
    for (; i + 1 < p->samples; i += 2) te_store_word(y + i, te_load_word(x + i) << shift & keep);
    if (i < p->samples) y[i] = (int16_t)((uint32_t)x[i] << shift);
    *bits = (int32_t)shift;
}

void te_signal_energy_u32(const te_signal_energy_params *p, const int16_t *x, uint32_t *y) {
    for (uint32_t i = 0; i < p->start; i++) te_store_word(y + i, 0);
    for (uint32_t i = p->start; i < p->end; i++) {
        const uint32_t z = te_load_word(x + 2 * i);
        te_store_word(y + i, (uint32_t)te_smlabb(z, z, 0) + (uint32_t)te_smlatt(z, z, 0));
    }
    for (uint32_t i = p->end; i < p->bins; i++) te_store_word(y + i, 0);
}

void te_signal_bank_u64(const te_signal_bank_params *p, const uint32_t *x, te_u64 *y) {
    const uint16_t *section = p->sections, *weights = p->weights;
    uint64_t sum = 0;
    for (uint32_t channel = 0; channel <= p->channels; channel++, section += 2) {
        const uint32_t *energy = x + section[0], *const end = energy + section[1];
        uint64_t next = 0;
        for (; energy < end; energy++, weights += 2) {
            sum += (uint64_t)*energy * weights[0];
            next += (uint64_t)*energy * weights[1];
        }
        if (channel) *y++ = sum;
        sum = next;
    }
}

static uint32_t bit_length(uint32_t x) {
    return x ? 32 - (uint32_t)__builtin_clz(x) : 0;
}

/* The root of x >= 2^30 by its bits, in *rest what is left of x. */
static uint32_t root_of_word(uint32_t x, uint32_t *rest) {
    uint32_t root = 0;
    for (uint32_t bit = UINT32_C(1) << 30; bit; bit >>= 2) {
        const uint32_t with = root + bit;
        root >>= 1;
        if (x >= with) x -= with, root += bit;
    }
    *rest = x;
    return root;
}

/* To the nearest. Shifted by pairs of bits x is 2^62 or more; the upper half of its root comes bit by bit, the lower
 * one by a division, by which it may be one too large. */
static uint32_t rounded_root(uint64_t x) {
    const uint32_t high = (uint32_t)(x >> 32), most = high ? UINT32_MAX : UINT16_MAX;
    if (!x) return 0;
    const uint32_t bits = high ? 32 + bit_length(high) : bit_length((uint32_t)x), pairs = (64 - bits) / 2;
    const uint64_t shifted = x << 2 * pairs;
    uint32_t rest;
    uint32_t root = root_of_word((uint32_t)(shifted >> 32), &rest);
    if (high) {
        const uint32_t quotient = (rest << 15 | ((uint32_t)shifted >> 17)) / root;
        root = root << 16 | (quotient > 0xffffu ? 0xffffu : quotient);
        if ((uint64_t)root * root > shifted) root--;
        root >>= pairs;
    } else {
        root >>= pairs - 16;
    }
    return x - (uint64_t)root * root > root && root != most ? root + 1 : root;
}

void te_signal_magnitude_u32(const te_signal_energy_params *p, const int32_t *x, uint32_t *y) {
    for (uint32_t i = 0; i < p->bins; i++, x += 2) {
        const int64_t real = (int32_t)te_load_word(x), imaginary = (int32_t)te_load_word(x + 1);
        const uint64_t square = (uint64_t)(real * real) + (uint64_t)(imaginary * imaginary);
        te_store_word(y + i, i >= p->start && i < p->end ? rounded_root(square) : 0);
    }
}

void te_signal_root_u32(const te_signal_root_params *p, const te_u64 *x, const int32_t *shift, uint32_t *y) {
    const uint32_t by = (uint32_t)*shift & 31u;
    for (uint32_t i = 0; i < p->channels; i++) {
        uint64_t value;
        memcpy(&value, x + i, sizeof value); /* y may lie over x */
        te_store_word(y + i, rounded_root(value) >> by);
    }
}

void te_signal_noise_u32(const te_signal_noise_params *p, const uint32_t *x, const uint32_t *noise,
                         uint32_t *y, uint32_t *next) {
    for (uint32_t i = 0; i < p->channels; i++) {
        const uint32_t signal = x[i], scaled = signal << p->smoothing_bits;
        const uint32_t estimate =
            (uint32_t)(((uint64_t)scaled * p->smoothing[i & 1] + (uint64_t)noise[i] * p->rest[i & 1]) >>
                       p->bits);
        const uint32_t least = (uint32_t)((uint64_t)signal * p->least >> p->bits);
        const uint32_t taken = estimate < scaled ? estimate : scaled;
        const uint32_t left = (scaled - taken) >> p->smoothing_bits;
        next[i] = p->clamp ? taken : estimate;
        y[i] = left > least ? left : least;
    }
}

static int16_t gain_of(const int16_t *gains, uint32_t noise) {
    if (noise <= 2) return gains[noise];
    const uint32_t bits = bit_length(noise);
    const int16_t *const parabola = gains + 4 * bits - 6;
    const uint32_t place = (bits < 11 ? noise << (11 - bits) : noise >> (bits - 11)) & 0x3ffu;
    const uint32_t bent = (uint32_t)((parabola[2] * (int32_t)place) >> 5) + ((uint32_t)parabola[1] << 5);
    return (int16_t)(((int32_t)(bent * place + (1u << 14)) >> 15) + parabola[0]);
}

/* Signal to noise has 12 fraction bits, the result 6: x^2 / 4 below 2, x - 1 above. */
void te_signal_gain_u32(const te_signal_gain_params *p, const uint32_t *x, const uint32_t *noise,
                        uint32_t *y) {
    for (uint32_t i = 0; i < p->channels; i++) {
        const uint32_t gain = (uint32_t)gain_of(p->gains, noise[i]);
        const uint32_t ratio = (uint32_t)((uint64_t)x[i] * gain >> p->shift);
        y[i] = ratio < 2 << 12 ? ratio * ratio >> 20 : (ratio >> 6) - (1 << 6);
    }
}

/* Of x * 2^more. */
static uint32_t log_of(const te_signal_log_params *p, uint32_t x, uint32_t more) {
    const uint32_t bits = bit_length(x) - 1;
    uint32_t fraction = (bits < 16 ? x << (16 - bits) : x >> (bits - 16)) & 0xffffu;
    const uint16_t *const curve = p->curve + (fraction >> 9);
    fraction += curve[0] + (uint32_t)(((curve[1] - curve[0]) * (int32_t)(fraction & 0x1ffu)) >> 16);
    const uint32_t log =
        (uint32_t)((UINT64_C(45426) * (((bits + more) << 16) + fraction) + (1 << 15)) >> 16); /* log 2 */
    return (p->scale * log + (1u << 15)) >> 16;
}

void te_signal_log_s16(const te_signal_log_params *p, const uint32_t *x, int16_t *y) {
    for (uint32_t i = 0; i < p->channels; i++) {
        const uint32_t scaled = te_load_word(x + i) << p->shift;
        const uint32_t log = scaled > 1 ? log_of(p, scaled, 0) : 0;
        const int16_t result = (int16_t)(log < INT16_MAX ? log : INT16_MAX);
        memcpy(y + i, &result, sizeof result); /* y may lie over x */
    }
}

void te_signal_log_wide_s16(const te_signal_log_wide_params *p, const te_u64 *x, int16_t *y) {
    for (uint32_t i = 0; i < p->of.channels; i++) {
        uint64_t value;
        memcpy(&value, x + i, sizeof value); /* y may lie over x */
        value += p->floor;
        const uint32_t more = bit_length((uint32_t)(value >> 32));
        const uint32_t log = log_of(&p->of, (uint32_t)(value >> more), more);
        const int16_t result = (int16_t)(log < INT16_MAX ? log : INT16_MAX);
        memcpy(y + i, &result, sizeof result);
    }
}
