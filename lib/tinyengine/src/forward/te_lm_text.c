/* Tokens and text of language models. */
#include "tinyengine/te_lm_text.h"

#include <string.h>

typedef struct part {
    const uint8_t *data;
    uint32_t length;
} part;

static part piece_of(const te_lm_text *t, uint32_t token) {
    const uint32_t n = token - TE_LM_FIRST_PIECE, first = n ? t->ends[n - 1] : 0;
    const part p = {t->bytes + first, t->ends[n] - first};
    return p;
}

/* The text of any token; `byte` holds that of a single one. */
static part text_of(const te_lm_text *t, uint32_t token, uint8_t *byte) {
    if (token >= TE_LM_FIRST_PIECE && token < t->tokens) return piece_of(t, token);
    *byte = (uint8_t)(token - TE_LM_FIRST_BYTE);
    const part p = {byte, token >= TE_LM_FIRST_BYTE && token < TE_LM_FIRST_PIECE};
    return p;
}

/* Below, at or above 0: a piece against a text in two parts, byte by byte; of those that begin alike the shorter
 * one comes first. */
static int compare(part piece, part a, part b) {
    const uint32_t length = a.length + b.length, shorter = piece.length < length ? piece.length : length;
    for (uint32_t i = 0; i < shorter; i++) {
        const uint8_t other = i < a.length ? a.data[i] : b.data[i - a.length];
        if (piece.data[i] != other) return piece.data[i] < other ? -1 : 1;
    }
    return piece.length < length ? -1 : piece.length > length;
}

/* The first token whose piece is a text in two parts; 0 if there is none. */
static uint32_t find(const te_lm_text *t, part a, part b) {
    const uint32_t count = t->tokens - TE_LM_FIRST_PIECE;
    uint32_t low = 0, high = count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (compare(piece_of(t, t->sorted[middle]), a, b) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && compare(piece_of(t, t->sorted[low]), a, b) == 0 ? t->sorted[low] : 0;
}

static uint32_t characters(const te_lm_text *t, part text, uint16_t *tokens) {
    const part nothing = {text.data, 0};
    uint32_t count = 0;
    while (text.length) {
        part character = {text.data, 1};
        while (character.length < text.length && (text.data[character.length] & 0xc0) == 0x80)
            character.length++;
        const uint32_t token = find(t, character, nothing);
        if (token) {
            tokens[count++] = (uint16_t)token;
        } else {
            for (uint32_t i = 0; i < character.length; i++)
                tokens[count++] = (uint16_t)(TE_LM_FIRST_BYTE + character.data[i]);
        }
        text.data += character.length;
        text.length -= character.length;
    }
    return count;
}

uint32_t te_lm_encode(const te_lm_text *t, const uint8_t *text, uint32_t length, bool begin,
                      uint16_t *tokens) {
    uint32_t count = 0;
    if (begin) *tokens++ = TE_LM_BEGIN;
    if (length) {
        const part space = {(const uint8_t *)" ", 1}, given = {text, length};
        count = characters(t, space, tokens);
        count += characters(t, given, tokens + count);
    }
    for (;;) {
        uint32_t best = 0, place = 0;
        for (uint32_t i = 0; i + 1 < count; i++) {
            uint8_t bytes[2];
            const part a = text_of(t, tokens[i], bytes), b = text_of(t, tokens[i + 1], bytes + 1);
            const uint32_t token = find(t, a, b);
            if (!token) continue;
            if (!best || t->ranks[token - TE_LM_FIRST_PIECE] < t->ranks[best - TE_LM_FIRST_PIECE]) {
                best = token;
                place = i;
            }
        }
        if (!best) return count + begin;
        tokens[place] = (uint16_t)best;
        count--;
        memmove(tokens + place + 1, tokens + place + 2, (count - place - 1) * sizeof *tokens);
    }
}

uint32_t te_lm_decode(const te_lm_text *t, uint32_t token, uint32_t before, uint8_t *text) {
    uint8_t byte;
    part p = text_of(t, token, &byte);
    if (before == TE_LM_BEGIN && p.length && *p.data == ' ') {
        p.data++;
        p.length--;
    }
    memcpy(text, p.data, p.length);
    return p.length;
}

/* Xorshift (Marsaglia 2003). */
static uint32_t next_random(uint32_t *state) {
    uint32_t x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

/* Of the weights that are at least so large. */
static uint32_t sum_from(const int32_t *weights, uint32_t count, int32_t least) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += weights[i] >= least ? (uint32_t)weights[i] : 0;
    return sum;
}

uint32_t te_lm_sample(const te_lm_text *t, const te_lm_settings *s, int32_t *logits, uint32_t *random) {
    uint32_t likeliest = 0, total = 0;
    for (uint32_t i = 1; i < t->tokens; i++) likeliest = logits[i] > logits[likeliest] ? i : likeliest;
    if (!s->sharpness) return likeliest;
    const int32_t largest = logits[likeliest];
    for (uint32_t i = 0; i < t->tokens; i++) {
        const uint64_t distance = (uint64_t)((uint32_t)largest - (uint32_t)logits[i]) * s->sharpness >> 16;
        logits[i] = distance >> 8 > 15 ? 0 : t->exponentials[distance & 255] >> (distance >> 8);
        total += (uint32_t)logits[i];
    }
    int32_t least = 1, above = 32768;
    if (s->share < 65536) { /* the largest weight down to which the tokens have that share */
        const uint64_t share = (uint64_t)total * s->share >> 16;
        const uint32_t wanted = share ? (uint32_t)share : 1;
        while (above - least > 1) {
            const int32_t middle = (least + above) / 2;
            if (sum_from(logits, t->tokens, middle) >= wanted)
                least = middle;
            else
                above = middle;
        }
        total = sum_from(logits, t->tokens, least);
    }
    uint32_t drawn = (uint32_t)((uint64_t)next_random(random) * total >> 32);
    for (uint32_t i = 0; i < t->tokens; i++) {
        if (logits[i] < least) continue;
        if (drawn < (uint32_t)logits[i]) return i;
        drawn -= (uint32_t)logits[i];
    }
    return likeliest;
}
