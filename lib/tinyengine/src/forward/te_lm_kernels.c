/* Inner loops of language models in C. */
#include "tinyengine/te_lm_kernels.h"

#include "../support/te_lm_numbers.h"

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

static uint32_t shorter(uint32_t a, uint32_t b) {
    return a < b ? a : b;
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

void te_lm_gemv_w4(const te_lm_gemv_args *a) {
    gemv_w4(a, 0);
}
void te_lm_gemv_add_w4(const te_lm_gemv_args *a) {
    gemv_w4(a, 1);
}

/* Where the score, or the weight, of a slot and a head lies. */
static uint32_t place(uint32_t slot, uint32_t head, uint32_t heads) {
    return (slot / 2 * heads + head) * 2 + slot % 2;
}

void te_lm_scores(const te_lm_scores_args *a) {
    static const uint8_t channel[4] = {0, 2, 1, 3};
    for (uint32_t h = 0; h < a->heads; h++) {
        const int16_t *q = a->q + h * a->width;
        const int8_t *key = a->keys;
        for (uint32_t slot = 0; slot < a->slots; slot++, key += a->width) {
            int32_t sum = 0;
            for (uint32_t i = 0; i < a->width; i++) sum += q[i] * key[(i & ~3u) + channel[i & 3]];
            a->scores[place(slot, h, a->heads)] = (int16_t)te_saturate(sum >> 4, 16);
        }
    }
}

void te_lm_softmax(int16_t *scores, uint32_t slots, uint32_t heads, const uint16_t *table, uint32_t *sums) {
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

void te_lm_values(const te_lm_values_args *a) {
    for (uint32_t h = 0; h < a->heads; h++) {
        for (uint32_t i = 0; i < a->width; i++) {
            int32_t sum = 0;
            for (uint32_t slot = 0; slot < a->slots; slot++) {
                const int8_t *pair = a->values + (slot / 2 * a->width + i / 2 * 2) * 2;
                sum += a->weights[place(slot, h, a->heads)] * pair[slot % 2 * 2 + i % 2];
            }
            a->sums[h * a->width + i] = sum;
        }
    }
}

static uint32_t root(uint32_t x) {
    uint32_t r = 0;
    for (uint32_t bit = 1u << 15; bit; bit >>= 1) {
        const uint32_t more = r | bit;
        if (more * more <= x) r = more;
    }
    return r;
}

static int32_t scaled(int32_t x, int32_t shift) {
    return shift >= 0 ? x >> shift : (int32_t)((uint32_t)x << -shift);
}

void te_lm_norm(const te_lm_norm_params *p, const int32_t *x, int16_t *h) {
    uint32_t bits = 1;
    uint64_t squares;
    for (uint32_t i = 0; i < p->width; i++) bits |= (uint32_t)(x[i] ^ (x[i] >> 31));
    const int32_t shift = 18 - __builtin_clz(bits);
    squares =
        shift >= 0 ? p->epsilon >> (2 * shift > 31 ? 31 : 2 * shift) : (uint64_t)p->epsilon << (-2 * shift);
    for (uint32_t i = 0; i < p->width; i++) {
        const int32_t y = scaled(x[i], shift);
        squares += (uint32_t)(y * y);
    }
    if (!squares) squares = 1;
    const uint32_t zeros = (uint32_t)__builtin_clzll(squares) & ~1u;
    const int32_t factor = (int32_t)(p->root / root((uint32_t)(squares << zeros >> 32)));
    const uint32_t right = p->shift - zeros / 2;
    const int32_t half = (int32_t)1 << (right - 1);
    for (uint32_t i = 0; i < p->width; i++) {
        const int32_t y = te_saturate((scaled(x[i], shift) * factor + half) >> right, 16);
        h[i] = (int16_t)((y * p->gains[i] + (1 << 14)) >> 15);
    }
}

void te_lm_gate(const te_lm_gate_params *p, const int32_t *y, int16_t *h) {
    for (uint32_t i = 0; i < p->width; i++) {
        const int32_t u = te_saturate(y[i], 16), g = te_saturate(y[p->width + i], 16);
        const int32_t at = te_saturate(u, 14) + 8192, low = p->sigmoid[at >> 6];
        const int32_t sigmoid = low + (((p->sigmoid[(at >> 6) + 1] - low) * (at & 63) + 32) >> 6);
        h[i] = (int16_t)te_saturate(te_smmulr(((u * sigmoid + (1 << 14)) >> 15) * g, p->multiplier), 12);
    }
    for (uint32_t i = p->width; i < p->padded; i++) h[i] = 0;
}
