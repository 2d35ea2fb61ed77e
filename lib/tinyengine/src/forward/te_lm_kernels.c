/* Inner loops of language models in C. */
#include "tinyengine/te_lm_kernels.h"

#include "../support/te_lm_numbers.h"
#include "../support/te_pairs.h"

/* Onto y, or in its place. */
static void store(int32_t *y, int32_t product, int add) {
    *y = add ? (int32_t)((uint32_t)*y + (uint32_t)product) : product;
}

static void gemv_w8(const te_lm_gemv_args *a, int add) {
    const int16_t *x = a->x;
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++, w += a->k + 4) {
        const int32_t *multipliers = (const int32_t *)(w + a->k);
        for (uint32_t r = 0; r < 4; r++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < a->k; i++) {
                sum += te_lm_row(w[i / 2 * 2 + r / 2] >> (i % 2 * 16) & 0xffff, r % 2) * x[i];
            }
            const int64_t product = (int64_t)sum * multipliers[r] * (r % 2 ? 256 : 1);
            store(a->y + 4 * q + r, (int32_t)((product + 0x80000000ll) >> 32), add);
        }
    }
}

void te_lm_gemv_any_w8(const te_lm_gemv_args *a) {
    gemv_w8(a, 0);
}
void te_lm_gemv_add_any_w8(const te_lm_gemv_args *a) {
    gemv_w8(a, 1);
}

static uint32_t shorter(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* (a * b) >> 16: SMULWB. */
static int32_t times_scale(uint32_t a, int16_t b) {
    return (int32_t)(((int64_t)(int32_t)a * b) >> 16);
}

/* Sums of a group of 4 bits, as they are separated without the DSP extension: 1, 16, 256, 4096 times. */
static void sums_w4(const uint32_t *x, const uint32_t *w, uint32_t count, uint32_t sums[4]) {
    for (uint32_t r = 0; r < 4; r++) sums[r] = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int16_t value = (int16_t)(x[i / 2] >> (i % 2 * 16));
        const uint32_t half = w[i / 2] >> (i % 2 * 16) & 0xffff;
        for (uint32_t r = 0; r < 3; r++) sums[r] += (uint32_t)(((int32_t)(half >> (4 * r) & 15) - 8) * value);
        sums[3] += (uint32_t)(((int16_t)half >> 12) * value);
    }
    for (uint32_t r = 0; r < 4; r++) sums[r] <<= 4 * r;
}

static void gemv_w4(const te_lm_gemv_args *a, int add) {
    const uint32_t *w = a->weights;
    for (uint32_t q = 0; q < a->quads; q++) {
        const uint32_t *stream = a->x;
        uint32_t total[4] = {0, 0, 0, 0};
        for (uint32_t first = 0; first < a->k; first += a->group) {
            const uint32_t count = shorter(a->group, a->k - first);
            uint32_t sums[4];
            sums_w4(stream + 4, w, count, sums);
            stream += 4 + count / 2;
            w += count / 2;
            for (uint32_t r = 0; r < 4; r++) {
                total[r] += (uint32_t)times_scale(sums[r], (int16_t)(w[r / 2] >> (r % 2 * 16)));
            }
            w += 2;
        }
        for (uint32_t r = 0; r < 4; r++) {
            store(a->y + 4 * q + r, te_smmulr((int32_t)(total[r] << (12 - 4 * r)), (int32_t)w[r]), add);
        }
        w += 4;
    }
}

void te_lm_gemv_any_w4(const te_lm_gemv_args *a) {
    gemv_w4(a, 0);
}
void te_lm_gemv_add_any_w4(const te_lm_gemv_args *a) {
    gemv_w4(a, 1);
}

#if !TE_DSP /* the twins of te_lm_gemv_dsp.S */

void te_lm_gemv_w8(const te_lm_gemv_args *a) {
    gemv_w8(a, 0);
}
void te_lm_gemv_add_w8(const te_lm_gemv_args *a) {
    gemv_w8(a, 1);
}
void te_lm_gemv_w8_64(const te_lm_gemv_args *a) {
    gemv_w8(a, 0);
}
void te_lm_gemv_add_w8_64(const te_lm_gemv_args *a) {
    gemv_w8(a, 1);
}
void te_lm_gemv_parts_w8(const te_lm_gemv_args *a) {
    gemv_w8(a, 0);
}
void te_lm_gemv_add_parts_w8(const te_lm_gemv_args *a) {
    gemv_w8(a, 1);
}
void te_lm_gemv_w4_32(const te_lm_gemv_args *a) {
    gemv_w4(a, 0);
}
void te_lm_gemv_add_w4_32(const te_lm_gemv_args *a) {
    gemv_w4(a, 1);
}
void te_lm_gemv_w4_64(const te_lm_gemv_args *a) {
    gemv_w4(a, 0);
}
void te_lm_gemv_add_w4_64(const te_lm_gemv_args *a) {
    gemv_w4(a, 1);
}

void te_lm_stream_w4(const int16_t *x, uint32_t k, uint32_t group, uint32_t *stream) {
    for (uint32_t first = 0; first < k; first += group) {
        const uint32_t count = shorter(group, k - first);
        uint32_t sum = 0;
        for (uint32_t i = 0; i < count; i += 2) {
            const int16_t a = x[first + i], b = x[first + i + 1];
            sum += (uint32_t)(a + b);
            stream[4 + i / 2] = (uint16_t)a | (uint32_t)(uint16_t)b << 16;
        }
        sum *= (uint32_t)-8;
        stream[0] = sum * 273;
        stream[1] = sum * 257;
        stream[2] = sum;
        stream[3] = sum * 17;
        stream += 4 + count / 2;
    }
}

#endif

/* Where the score, or the weight, of a slot and a head lies. */
static uint32_t place(uint32_t slot, uint32_t head, uint32_t heads) {
    return (slot / 2 * heads + head) * 2 + slot % 2;
}

/* Any number of heads and channels. */
static void scores(const te_lm_scores_args *a) {
    for (uint32_t h = 0; h < a->heads; h++) {
        const int16_t *q = a->q + h * a->width;
        const int8_t *key = a->keys;
        for (uint32_t slot = 0; slot < a->slots; slot++) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < a->width; i += 4, key += 4) {
                const uint32_t four = te_load_word(key);
                sum = te_smlad(te_load_word(q + i), te_widen_even(four), sum);
                sum = te_smlad(te_load_word(q + i + 2), te_widen_odd(four), sum);
            }
            a->scores[place(slot, h, a->heads)] = (int16_t)te_saturate(sum >> 4, 16);
        }
    }
}

static void softmax(int16_t *scores, uint32_t slots, uint32_t heads, const uint16_t *table, uint32_t *sums) {
    for (uint32_t h = 0; h < heads; h++) {
        int16_t largest = INT16_MIN;
        for (uint32_t i = 0; i < slots; i++) {
            const int16_t score = scores[place(i, h, heads)];
            if (score > largest) largest = score;
        }
        sums[h] = 0;
        for (uint32_t i = 0; i < slots; i++) {
            int16_t *score = scores + place(i, h, heads);
            const uint32_t distance = (uint32_t)(largest - *score), octaves = distance >> 8;
            const uint32_t weight = octaves > 15 ? 0 : (uint32_t)table[distance & 255] >> octaves;
            *score = (int16_t)weight;
            sums[h] += weight;
        }
    }
}

static void values(const te_lm_values_args *a) {
    for (uint32_t h = 0; h < a->heads; h++) {
        for (uint32_t i = 0; i < a->width; i += 2) {
            const int16_t *weights = a->weights + 2 * h;
            const int8_t *four = a->values + 2 * i;
            int32_t first = 0, second = 0;
            for (uint32_t slot = 0; slot < a->slots;
                 slot += 2, weights += 2 * a->heads, four += 2 * a->width) {
                const uint32_t pair = te_load_word(weights), held = te_load_word(four);
                first = te_smlad(pair, te_widen_even(held), first);
                second = te_smlad(pair, te_widen_odd(held), second);
            }
            a->sums[h * a->width + i] = first;
            a->sums[h * a->width + i + 1] = second;
        }
    }
}

/* round(x^(1/2)) downwards; x > 0. From above, by Newton's steps: a tangent begins there. */
static uint32_t root(uint32_t x) {
    uint32_t r = (x >> 17) + (1 << 15) + 1;
    for (uint32_t next; (next = (r + x / r) / 2) < r;) r = next;
    return r;
}

/* squares: of numbers that are shifted to the right by so many bits, or to the left. */
static te_lm_scale scale_of(const te_lm_norm_params *p, uint64_t squares, int32_t shift) {
    squares +=
        shift >= 0 ? p->epsilon >> (2 * shift > 31 ? 31 : 2 * shift) : (uint64_t)p->epsilon << (-2 * shift);
    if (!squares) squares = 1;
    const uint32_t high = (uint32_t)(squares >> 32);
    const uint32_t zeros =
        (uint32_t)(high ? __builtin_clz(high) : 32 + __builtin_clz((uint32_t)squares)) & ~1u;
    te_lm_scale found = {(int32_t)(p->root / root((uint32_t)(squares << zeros >> 32))),
                         (int32_t)(p->shift - zeros / 2)};
    if (found.right > 31) { /* much epsilon, little else: all results are 0 */
        found.factor = 0;
        found.right = 31;
    }
    return found;
}

static int32_t scaled(int32_t x, int32_t shift) {
    return shift >= 0 ? x >> shift : (int32_t)((uint32_t)x << -shift);
}

/* The scale of x that is shifted to the right by *shift bits, or to the left. */
static te_lm_scale measure(const te_lm_norm_params *p, const int32_t *x, int32_t *shift) {
    uint32_t bits = 1;
    uint64_t squares = 0;
    for (uint32_t i = 0; i < p->width; i++) bits |= (uint32_t)(x[i] ^ (x[i] >> 31));
    *shift = 18 - __builtin_clz(bits);
    for (uint32_t i = 0; i < p->width; i++) {
        const int32_t y = scaled(x[i], *shift);
        squares += (uint32_t)(y * y);
    }
    return scale_of(p, squares, *shift);
}

te_lm_scale te_lm_norm_measure(const te_lm_norm_params *p, const int32_t *x) {
    int32_t shift;
    te_lm_scale found = measure(p, x, &shift);
    found.right += shift;
    return found;
}

static void norm(const te_lm_norm_params *p, const int32_t *x, int16_t *h) {
    int32_t shift;
    const te_lm_scale to = measure(p, x, &shift);
    const int32_t half = (int32_t)1 << (to.right - 1);
    for (uint32_t i = 0; i < p->width; i++) {
        const int32_t y = te_saturate((scaled(x[i], shift) * to.factor + half) >> to.right, 16);
        h[i] = (int16_t)((y * p->gains[i] + (1 << 14)) >> 15);
    }
}

/* Values first .. width. */
static void gate(const te_lm_gate_params *p, const int32_t *y, int16_t *h, uint32_t first) {
    for (uint32_t i = first; i < p->width; i++) {
        const int32_t u = te_saturate(y[i], 16), g = te_saturate(y[p->width + i], 16);
        const int32_t at = te_saturate(u, 14) + 8192, low = p->sigmoid[at >> 6];
        const int32_t sigmoid = low + (((p->sigmoid[(at >> 6) + 1] - low) * (at & 63) + 32) >> 6);
        h[i] = (int16_t)te_saturate(te_smmulr(((u * sigmoid + (1 << 14)) >> 15) * g, p->multiplier), 12);
    }
    for (uint32_t i = p->width; i < p->padded; i++) h[i] = 0;
}

#if TE_DSP

/* te_lm_attention_dsp.S: two heads; of 8 channels, or of a multiple of 8 (scores; q: 4 bytes of scratch memory per
 * channel) or 4. */
void te_lm_scores_8_2(const te_lm_scores_args *args);
void te_lm_scores_2(const te_lm_scores_args *args, uint32_t *q);
void te_lm_softmax_2(int16_t *scores, uint32_t slots, const uint16_t *table, uint32_t *sums);
void te_lm_values_8_2(const te_lm_values_args *args);
void te_lm_values_2(const te_lm_values_args *args);

#define MOST_CHANNELS 64 /* for which q is copied */

void te_lm_scores(const te_lm_scores_args *a) {
    uint32_t q[MOST_CHANNELS];
    if (a->heads != 2 || a->width % 8 || a->width > MOST_CHANNELS)
        scores(a);
    else if (a->width == 8)
        te_lm_scores_8_2(a);
    else
        te_lm_scores_2(a, q);
}

void te_lm_softmax(int16_t *row, uint32_t slots, uint32_t heads, const uint16_t *table, uint32_t *sums) {
    if (heads == 2)
        te_lm_softmax_2(row, slots, table, sums);
    else
        softmax(row, slots, heads, table, sums);
}

void te_lm_values(const te_lm_values_args *a) {
    if (a->heads != 2)
        values(a);
    else if (a->width == 8)
        te_lm_values_8_2(a);
    else
        te_lm_values_2(a);
}

/* te_lm_elements_dsp.S */

typedef struct te_lm_scale_args {
    int16_t *y;
    const int16_t *gains;
    uint32_t width;
    int32_t factor, half;
    uint32_t shift;
} te_lm_scale_args;

typedef struct te_lm_gate_args {
    const int32_t *u, *g;
    int16_t *h;
    const int16_t *sigmoid;
    int32_t multiplier;
    uint32_t width;
} te_lm_gate_args;

uint32_t te_lm_norm_bits(const int32_t *x, uint32_t width);
uint64_t te_lm_norm_squares(const int32_t *x, uint32_t width, uint32_t left, int16_t *y);
void te_lm_norm_scale(const te_lm_scale_args *args);
void te_lm_gate_pairs(const te_lm_gate_args *args);

/* Multiplies by factor * 2^14 and takes the product's upper 32 of 48 bits, so the shift that is left is 2 less. */
void te_lm_norm(const te_lm_norm_params *p, const int32_t *x, int16_t *h) {
    const uint32_t zeros = (uint32_t)__builtin_clz(te_lm_norm_bits(x, p->width) | 1);
    if (zeros < 2) {
        norm(p, x, h);
        return;
    }
    const te_lm_scale to = scale_of(p, te_lm_norm_squares(x, p->width, zeros - 2, h), 18 - (int32_t)zeros);
    if (to.right < 3) {
        norm(p, x, h);
        return;
    }
    const te_lm_scale_args args = {h,
                                   p->gains,
                                   p->width,
                                   (int32_t)((uint32_t)to.factor << 14),
                                   (int32_t)1 << (to.right - 3),
                                   (uint32_t)to.right - 2};
    te_lm_norm_scale(&args);
}

void te_lm_gate(const te_lm_gate_params *p, const int32_t *y, int16_t *h) {
    const uint32_t even = p->width & ~1u;
    const te_lm_gate_args args = {y, y + p->width, h, p->sigmoid, p->multiplier, even};
    te_lm_gate_pairs(&args);
    gate(p, y, h, even);
}

#else

void te_lm_scores(const te_lm_scores_args *a) {
    scores(a);
}

void te_lm_softmax(int16_t *row, uint32_t slots, uint32_t heads, const uint16_t *table, uint32_t *sums) {
    softmax(row, slots, heads, table, sums);
}

void te_lm_values(const te_lm_values_args *a) {
    values(a);
}

void te_lm_norm(const te_lm_norm_params *p, const int32_t *x, int16_t *h) {
    norm(p, x, h);
}

void te_lm_gate(const te_lm_gate_params *p, const int32_t *y, int16_t *h) {
    gate(p, y, h, 0);
}

#endif
