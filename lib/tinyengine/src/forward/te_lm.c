/* Layers of language models, around the loops of te_lm_kernels.h. */
#include "tinyengine/te_lm.h"

#include "../support/te_lm_numbers.h"
#include "../support/te_pairs.h"

#include <string.h>

#define NO_SCORE (-32768) /* of a slot without a token */
#define FORGET_SHIFT 6    /* what share of the attention that a slot has received a token forgets */

void te_lm_embedding(const te_lm_embedding_params *p, const int32_t *token, int32_t *x) {
    const uint32_t last = p->tokens - 1, t = *token < 0                ? 0
                                             : (uint32_t)*token > last ? last
                                                                       : (uint32_t)*token;
    const uint32_t *quad = p->table + t / 4 * (p->width + 4) + t % 4 / 2;
    for (uint32_t i = 0; i < p->width; i++) {
        const uint32_t half = quad[i / 2 * 2] >> (i % 2 * 16) & 0xffff;
        x[i] = (te_lm_row(half, t % 2) * p->multipliers[t] + 128) >> 8;
    }
}

/* Where the token at a position lies. */
static uint32_t slot_of(te_lm_ring ring, uint32_t position) {
    return position < ring.sinks
               ? position
               : (position - ring.sinks) % (uint32_t)(ring.window - ring.sinks) + ring.sinks;
}

static int16_t sine(const int16_t *table, uint32_t phase) {
    const int32_t low = table[phase >> 22], fraction = (int32_t)(phase >> 6 & 0xffff);
    return (int16_t)(low + (((table[(phase >> 22) + 1] - low) * fraction + (1 << 15)) >> 16));
}

void te_lm_position(const te_lm_position_params *p, const int32_t *position, int16_t *angles, int32_t *next) {
    const uint32_t now = (uint32_t)*position, window = p->ring.window, sinks = p->ring.sinks;
    const uint32_t slot = slot_of(p->ring, now);
    const uint32_t farthest = p->ring.kept ? 2 * window - sinks - 1 : window - 1;
    const uint32_t turned[3] = {slot, slot + window - sinks, now < window ? now : farthest};
    for (uint32_t variant = 0; variant < (sinks ? 3u : 2u); variant++) {
        for (uint32_t i = 0; i < p->pairs; i++) {
            const uint32_t phase = turned[variant] * p->frequencies[i];
            *angles++ = sine(p->sines, phase + (1u << 30));
            *angles++ = sine(p->sines, phase);
        }
    }
    *next = (int32_t)(now + 1 < 2 * window - sinks ? now + 1 : window);
}

static void rows(const te_lm_matrix_params *p, const void *x, int32_t *y) {
    const te_lm_gemv_args args = {x, p->weights, y, p->quads, p->k, p->group};
    p->rows(&args);
}

static void bring(const te_lm_matrix_params *p, const int32_t *added, int32_t *y) {
    if (y != added) memcpy(y, added, 16 * (size_t)p->quads);
}

void te_lm_matrix(const te_lm_matrix_params *p, const int16_t *x, int32_t *y) {
    rows(p, x, y);
}

void te_lm_matrix_add(const te_lm_matrix_params *p, const int16_t *x, const int32_t *added, int32_t *y) {
    bring(p, added, y);
    rows(p, x, y);
}

void te_lm_matrix_w4(const te_lm_matrix_params *p, const int16_t *x, int32_t *y, void *scratch) {
    te_lm_stream_w4(x, p->k, p->group, scratch);
    rows(p, scratch, y);
}

void te_lm_matrix_add_w4(const te_lm_matrix_params *p, const int16_t *x, const int32_t *added, int32_t *y,
                         void *scratch) {
    bring(p, added, y);
    te_lm_matrix_w4(p, x, y, scratch);
}

void te_lm_matrix_bias(const te_lm_matrix_bias_params *p, const int16_t *x, int32_t *y) {
    te_lm_matrix_add(&p->matrix, x, p->bias, y);
}

void te_lm_matrix_bias_w4(const te_lm_matrix_bias_params *p, const int16_t *x, int32_t *y, void *scratch) {
    te_lm_matrix_add_w4(&p->matrix, x, p->bias, y, scratch);
}

/* Two neighbours of 16 bits, each in a half. */
static uint32_t neighbours(const int32_t *y) {
    return te_pack_low((uint32_t)te_saturate(y[0], 16), (uint32_t)te_saturate(y[1], 16));
}

/* A pair turned by an angle (cosine, sine), times the multiplier of each of both: as numbers of so many bits. */
#define TURN(pair, angle, multipliers, bits, first, second)                                                  \
    do {                                                                                                     \
        first = te_saturate(te_smmulr(te_smusd(pair, angle), (multipliers)[0]), bits);                       \
        second = te_saturate(te_smmulr(te_smuadx(pair, angle), (multipliers)[1]), bits);                     \
    } while (0)

TE_INLINE void turn_query(uint32_t pair, const int16_t *angle, const int32_t *multipliers, int16_t *q) {
    int32_t first, second;
    TURN(pair, te_load_word(angle), multipliers, 16, first, second);
    const uint32_t turned = te_pack_low((uint32_t)first, (uint32_t)second);
    memcpy(q, &turned, sizeof turned);
}

/* All heads' queries, in each variant. */
static void queries(const te_lm_rotate_params *p, const int32_t *y, const int16_t *angles, int16_t *q) {
    const uint32_t head = p->head, width = p->heads * head, sinks = p->ring.sinks;
    const int32_t *multipliers = p->query_multipliers;
    for (uint32_t h = 0; h < p->heads; h++) {
        const int16_t *angle = angles, *const end = angles + head;
        for (; angle < end; angle += 2, y += 2, q += 2, multipliers += 2) {
            const uint32_t pair = neighbours(y);
            turn_query(pair, angle, multipliers, q);
            turn_query(pair, angle + head, multipliers, q + width);
            if (sinks) turn_query(pair, angle + 2 * head, multipliers, q + 2 * width);
        }
    }
}

/* Where the token in a slot goes when that of position now comes: to the kept one that receives least attention, or
 * nowhere (the slot itself). */
static uint32_t new_slot(te_lm_ring ring, uint32_t now, uint32_t slot, const int32_t *received) {
    uint32_t weakest = ring.sinks - (uint32_t)ring.kept;
    for (uint32_t i = weakest + 1; i < ring.sinks; i++) {
        if (received[i] < received[weakest]) weakest = i;
    }
    return now >= ring.window && received[slot] > received[weakest] ? weakest : slot;
}

/* Keys and values of a slot over those of another. */
static void move(const te_lm_rotate_params *p, uint32_t slot, uint32_t to, int8_t *keys, int8_t *values) {
    const uint32_t head = p->head, size = p->ring.window * head;
    for (uint32_t h = 0; h < p->key_heads; h++, keys += size, values += size) {
        memcpy(keys + to * head, keys + slot * head, head);
        const int8_t *from = values + slot / 2 * 2 * head + slot % 2 * 2;
        int8_t *value = values + to / 2 * 2 * head + to % 2 * 2;
        for (uint32_t i = 0; i < 2 * head; i += 4) {
            value[i] = from[i];
            value[i + 1] = from[i + 1];
        }
    }
}

static void append(const te_lm_rotate_params *p, uint32_t slot, const int32_t *y, const int16_t *angles,
                   int16_t *q, int8_t *keys_next, int8_t *values_next) {
    const uint32_t head = p->head, width = p->heads * head, key_width = p->key_heads * head,
                   window = p->ring.window;
    queries(p, y, angles, q);
    const int32_t *key_in = y + width, *value_in = key_in + key_width, *multipliers = p->key_multipliers;
    for (uint32_t h = 0; h < p->key_heads; h++) {
        int8_t *key = keys_next + (h * window + slot) * head;
        int8_t *value = values_next + (h * window + slot / 2 * 2) * head + slot % 2 * 2;
        for (uint32_t i = 0; i < head; i += 4, key += 4) {
            for (uint32_t k = 0; k < 2; k++, key_in += 2, value_in += 2, multipliers += 2, value += 4) {
                const uint32_t pair = neighbours(key_in), angle = te_load_word(angles + i + 2 * k);
                int32_t first, second;
                TURN(pair, angle, multipliers, 8, first, second);
                key[k] = (int8_t)first;
                key[2 + k] = (int8_t)second;
                value[0] = (int8_t)te_saturate(value_in[0], 8);
                value[1] = (int8_t)te_saturate(value_in[1], 8);
            }
        }
    }
}

static void bring_rings(const te_lm_rotate_params *p, const int8_t *keys, const int8_t *values,
                        int8_t *keys_next, int8_t *values_next) {
    const uint32_t size = (uint32_t)p->ring.window * p->key_heads * p->head;
    if (keys_next != keys) memcpy(keys_next, keys, size);
    if (values_next != values) memcpy(values_next, values, size);
}

void te_lm_rotate(const te_lm_rotate_params *p, const int32_t *y, const int16_t *angles,
                  const int32_t *position, const int8_t *keys, const int8_t *values, int16_t *q,
                  int8_t *keys_next, int8_t *values_next) {
    bring_rings(p, keys, values, keys_next, values_next);
    append(p, slot_of(p->ring, (uint32_t)*position), y, angles, q, keys_next, values_next);
}

void te_lm_rotate_keeping(const te_lm_rotate_params *p, const int32_t *y, const int16_t *angles,
                          const int32_t *position, const int8_t *keys, const int8_t *values,
                          const int32_t *received, int16_t *q, int8_t *keys_next, int8_t *values_next) {
    const uint32_t now = (uint32_t)*position, slot = slot_of(p->ring, now),
                   to = new_slot(p->ring, now, slot, received);
    bring_rings(p, keys, values, keys_next, values_next);
    if (to != slot) move(p, slot, to, keys_next, values_next);
    append(p, slot, y, angles, q, keys_next, values_next);
}

/* Scores of slots first .. end, and whatever of up to three behind them. */
static void scores(te_lm_scores_args args, uint32_t first, uint32_t end) {
    const uint32_t begin = first & ~3u, whole = (first + 3) & ~3u;
    const int8_t *keys = args.keys;
    int16_t *to = args.scores;
    if (end <= first) return;
    if (begin != first) {
        _Alignas(4) int16_t part[2 * 4];
        args.keys = keys + begin * args.width;
        args.slots = 4;
        args.scores = part;
        te_lm_scores(&args);
        for (uint32_t slot = first; slot < whole; slot++) {
            for (uint32_t h = 0; h < args.heads; h++) {
                const uint32_t place = h * 2 + slot % 2;
                to[slot / 2 * 2 * args.heads + place] = part[(slot - begin) / 2 * 2 * args.heads + place];
            }
        }
    }
    if (end <= whole) return;
    args.keys = keys + whole * args.width;
    args.slots = (end - whole + 3) & ~3u;
    args.scores = to + whole * args.heads;
    te_lm_scores(&args);
}

/* sums / total, of values of 7 bits those of 11. */
static void mean(const int32_t *sums, uint32_t total, uint32_t count, int16_t *output) {
    const uint32_t zeros = (uint32_t)__builtin_clz(total);
    const int32_t factor = (int32_t)(0x80000000u / (total << zeros >> 16));
    for (uint32_t i = 0; i < count; i++) {
        output[i] = (int16_t)((te_smmulr((int32_t)((uint32_t)sums[i] << (zeros - 8)), factor) + 4) >> 3);
    }
}

/* The attention that slots receive is forgotten a little; that of a slot whose token goes goes with it. */
static void forget(te_lm_ring ring, uint32_t now, const int32_t *received, int32_t *next) {
    const uint32_t slot = slot_of(ring, now), to = new_slot(ring, now, slot, received);
    const int32_t moved = received[slot];
    for (uint32_t i = 0; i < ring.window; i++) next[i] = received[i] - (received[i] >> FORGET_SHIFT);
    next[to] = moved - (moved >> FORGET_SHIFT);
    next[slot] = 0;
}

/* Onto what slots receive: the share that each weight has of its head's total. */
static void count(const int16_t *weights, const uint32_t *totals, uint32_t heads, uint32_t slots,
                  int32_t *received) {
    for (uint32_t h = 0; h < heads; h++, weights += 2) {
        const uint32_t zeros = (uint32_t)__builtin_clz(totals[h]), shift = 31 - zeros,
                       factor = 0x80000000u / (totals[h] << zeros >> 16);
        const int16_t *pair = weights;
        for (uint32_t i = 0; i < slots; i += 2, pair += 2 * heads) {
            received[i] += (int32_t)((uint32_t)pair[0] * factor >> shift);
            received[i + 1] += (int32_t)((uint32_t)pair[1] * factor >> shift);
        }
    }
}

/* received: NULL where nobody counts. */
TE_INLINE void attend(const te_lm_attention_params *p, const int16_t *q, const int8_t *keys,
                      const int8_t *values, uint32_t now, int16_t *output, int32_t *received, void *scratch) {
    const uint32_t head = p->head, group = p->heads / p->key_heads, window = p->ring.window,
                   sinks = p->ring.sinks;
    const uint32_t used = now < window ? now + 1 : window, slots = (used + 7) & ~7u;
    const uint32_t present = now < sinks ? sinks : slot_of(p->ring, now) + 1, variant = p->heads * head;
    int32_t *sums = scratch;
    int16_t *weights = (int16_t *)(sums + 2 * head);

    for (uint32_t h = 0, heads; h < p->heads; h += heads) {
        const uint32_t key_head = h / group, left = group - h % group, offset = key_head * window * head;
        heads = left < 2 ? left : 2;
        te_lm_scores_args score = {keys + offset, q + h * head, weights, 0, head, heads};
        if (sinks) { /* first: each range may write behind its end */
            score.q += 2 * variant;
            scores(score, 0, sinks < used ? sinks : used);
            score.q -= 2 * variant;
        }
        scores(score, sinks, present);
        score.q += variant;
        scores(score, present, used);
        for (uint32_t i = used; i < slots; i++) {
            for (uint32_t j = 0; j < heads; j++) weights[(i / 2 * heads + j) * 2 + i % 2] = NO_SCORE;
        }
        uint32_t totals[2];
        te_lm_softmax(weights, slots, heads, p->exponentials, totals);
        const te_lm_values_args sum = {values + offset, weights, sums, slots, head, heads};
        te_lm_values(&sum);
        for (uint32_t j = 0; j < heads; j++, output += head) mean(sums + j * head, totals[j], head, output);
        if (received) count(weights, totals, heads, slots, received);
    }
}

void te_lm_attention(const te_lm_attention_params *p, const int16_t *q, const int8_t *keys,
                     const int8_t *values, const int32_t *position, int16_t *output, void *scratch) {
    attend(p, q, keys, values, (uint32_t)*position, output, NULL, scratch);
}

void te_lm_attention_counting(const te_lm_attention_params *p, const int16_t *q, const int8_t *keys,
                              const int8_t *values, const int32_t *position, const int32_t *received,
                              int16_t *output, int32_t *received_next, void *scratch) {
    forget(p->ring, (uint32_t)*position, received, received_next);
    attend(p, q, keys, values, (uint32_t)*position, output, received_next, scratch);
}
