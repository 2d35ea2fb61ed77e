/* A language model's text: tokens of a prompt, the next token by chance, its text. Integers only, so that the same seed
 * writes the same everywhere. */
#ifndef TE_LM_TEXT_H
#define TE_LM_TEXT_H

#include "tinyengine/te_types.h"

#include <stdbool.h>

TE_BEGIN_C

enum { TE_LM_BEGIN = 1, TE_LM_END = 2, TE_LM_FIRST_BYTE = 3, TE_LM_FIRST_PIECE = 259 }; /* tokens */

#define TE_LM_LONGEST_PIECE 64u

typedef struct te_lm_settings {
    uint32_t sharpness; /* 4096 * log2(e) / temperature; 0: always the likeliest token */
    uint32_t share; /* 65536 * the share of the probability that the tokens to choose from have at least */
} te_lm_settings;

typedef struct te_lm_text te_lm_text;

/* Tokens from TE_LM_FIRST_PIECE on, n of them, are pieces of text: the first one is bytes[0 .. ends[0]), the next one
 * begins there. The functions are those below: who knows a network only by its te_model links them only with one that
 * has text. */
struct te_lm_text {
    uint32_t tokens;
    const uint8_t *bytes;
    const uint32_t *ends;         /* [n] */
    const uint16_t *sorted;       /* [n] these tokens in the order of their bytes */
    const uint16_t *ranks;        /* [n] of two possible merges the one with the smaller rank goes first */
    const uint16_t *exponentials; /* 2^(15 - i/256) */
    uint32_t (*encode)(const te_lm_text *t, const uint8_t *text, uint32_t length, bool begin,
                       uint16_t *tokens);
    uint32_t (*decode)(const te_lm_text *t, uint32_t token, uint32_t before, uint8_t *text);
    uint32_t (*sample)(const te_lm_text *t, const te_lm_settings *s, int32_t *logits, uint32_t *random);
};

/* Tokens of a text in UTF-8, at most length + 2: the first one TE_LM_BEGIN if that is wanted, then a space. */
uint32_t te_lm_encode(const te_lm_text *t, const uint8_t *text, uint32_t length, bool begin,
                      uint16_t *tokens);

/* What a token adds to a text behind the token before it: at most TE_LM_LONGEST_PIECE bytes; how many. */
uint32_t te_lm_decode(const te_lm_text *t, uint32_t token, uint32_t before, uint8_t *text);

/* A state of random numbers, never 0. */
TE_INLINE uint32_t te_lm_seed(uint32_t seed) {
    const uint32_t mixed = seed * 0x9e3779b9u + 0x7f4a7c15u;
    return mixed ? mixed : 1;
}

/* The next token; logits (12 fraction bits) become weights, random the next state. */
uint32_t te_lm_sample(const te_lm_text *t, const te_lm_settings *s, int32_t *logits, uint32_t *random);

TE_END_C

#endif
