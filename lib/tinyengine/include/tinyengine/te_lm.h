/* Layers of language models of the Llama architecture: one run is one token. Numbers: host/tinyengine/ir/language.py.
 *
 * Keys and values of the last tokens lie in rings, those of the first ones (sinks) in front of them. A key is rotated
 * by its slot and stays; queries are rotated as the ring's present turn, its former one, and the sinks need it.
 * Keys: [key head][slot][channel], of each four channels the inner two exchanged.
 * Values: [key head][pair of slots][pair of channels][slot][channel].
 */
#ifndef TE_LM_H
#define TE_LM_H

#include "tinyengine/te_lm_kernels.h"

TE_BEGIN_C

/* table: a matrix of 8 bits with a row per token. */
typedef struct te_lm_embedding_params {
    const uint32_t *table;
    const int32_t *multipliers;
    uint32_t tokens, width;
} te_lm_embedding_params;

/* A token outside the table counts as its first or last one. */
void te_lm_embedding(const te_lm_embedding_params *p, const int32_t *token, int32_t *x);

/* window: slots, the sinks included. kept: of the sinks, the last so many are taken over by tokens that leave the ring and
 * receive more attention. */
typedef struct te_lm_ring {
    uint16_t window, sinks, kept;
} te_lm_ring;

typedef struct te_lm_position_params {
    te_lm_ring ring;
    uint32_t pairs; /* of channels of a head */
    const uint32_t *frequencies;
    const int16_t *sines; /* 1025 over a turn */
} te_lm_position_params;

/* angles: [2 or 3][pairs] cosine and sine; next may be position. */
void te_lm_position(const te_lm_position_params *p, const int32_t *position, int16_t *angles, int32_t *next);

typedef struct te_lm_matrix_params {
    const uint32_t *weights;
    te_lm_gemv_fn *rows;
    uint32_t quads, k, group;
} te_lm_matrix_params;

/* added: y may lie where it lies. w4: scratch holds the stream of x. */
void te_lm_matrix(const te_lm_matrix_params *p, const int16_t *x, int32_t *y);
void te_lm_matrix_add(const te_lm_matrix_params *p, const int16_t *x, const int32_t *added, int32_t *y);
void te_lm_matrix_w4(const te_lm_matrix_params *p, const int16_t *x, int32_t *y, void *scratch);
void te_lm_matrix_add_w4(const te_lm_matrix_params *p, const int16_t *x, const int32_t *added, int32_t *y,
                         void *scratch);

typedef struct te_lm_matrix_bias_params {
    te_lm_matrix_params matrix;
    const int32_t *bias; /* per row */
} te_lm_matrix_bias_params;

/* Onto the bias. */
void te_lm_matrix_bias(const te_lm_matrix_bias_params *p, const int16_t *x, int32_t *y);
void te_lm_matrix_bias_w4(const te_lm_matrix_bias_params *p, const int16_t *x, int32_t *y, void *scratch);

typedef struct te_lm_rotate_params {
    te_lm_ring ring;
    uint16_t heads, key_heads, head; /* head: channels of one */
    const int32_t *query_multipliers;
    const int32_t *key_multipliers;
} te_lm_rotate_params;

/* y: queries, keys, values of all heads. q: [2 or 3][heads][head]. Next rings may lie where the rings lie. */
void te_lm_rotate(const te_lm_rotate_params *p, const int32_t *y, const int16_t *angles,
                  const int32_t *position, const int8_t *keys, const int8_t *values, int16_t *q,
                  int8_t *keys_next, int8_t *values_next);

/* Before that, the token whose slot this one takes is kept, if it receives more attention than one that is.
 * received: of each slot, as te_lm_attention_counting left it. */
void te_lm_rotate_keeping(const te_lm_rotate_params *p, const int32_t *y, const int16_t *angles,
                          const int32_t *position, const int8_t *keys, const int8_t *values,
                          const int32_t *received, int16_t *q, int8_t *keys_next, int8_t *values_next);

typedef struct te_lm_attention_params {
    te_lm_ring ring;
    uint16_t heads, key_heads, head;
    const uint16_t *exponentials; /* 2^(15 - i/256) */
} te_lm_attention_params;

/* Query heads of a key head two by two. scratch: 4 bytes per slot, 8 per channel of a head. */
void te_lm_attention(const te_lm_attention_params *p, const int16_t *q, const int8_t *keys,
                     const int8_t *values, const int32_t *position, int16_t *output, void *scratch);

/* And how much attention each slot receives: 2^16 of a head in all, of which each token forgets 2^-6. The next counts may
 * lie where the counts lie. */
void te_lm_attention_counting(const te_lm_attention_params *p, const int16_t *q, const int8_t *keys,
                              const int8_t *values, const int32_t *position, const int32_t *received,
                              int16_t *output, int32_t *received_next, void *scratch);

TE_END_C

#endif
