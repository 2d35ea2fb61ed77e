/* Training of language models (te_lm.h) over a segment of tokens: what the forward pass of each token keeps, the loss,
 * the way back through the last blocks, the update of gains and of the classifier's bias.
 *
 * Gradients are IEEE singles, by the integers that the forward pass computes: roundings pass them, a number at the end
 * of its range stops them. What lies between is computed again. Every sum has one order and nothing is fused
 * (-ffp-contract=off), so all cores give the bytes of host/tinyengine/reference/backward/language.py.
 *
 * A segment begins at position 0 and is no longer than the window, so token t lies in slot t. `sums`: the gradients of
 * all trained numbers, in the order of the stream of random bits. `gradient`: [token][width], of the residual stream.
 * What is next may lie where it lies.
 */
#ifndef TE_LM_LEARN_H
#define TE_LM_LEARN_H

#include "tinyengine/te_backward.h"
#include "tinyengine/te_lm.h"

TE_BEGIN_C

typedef struct te_lm_keep_params {
    uint32_t width, tokens;
} te_lm_keep_params;

/* kept: [token][width]; that of this position becomes x. */
void te_lm_keep(const te_lm_keep_params *p, const int32_t *x, const int32_t *position, const int32_t *kept,
                int32_t *next);

/* group: of weights of 4 bits, the columns that share a scale; 0: 8 bits. */
typedef struct te_lm_learn_matrix {
    te_lm_matrix_params matrix;
    uint32_t group;
} te_lm_learn_matrix;

typedef struct te_lm_learn_norm {
    te_lm_norm_params norm;
    float spread;   /* 2^-2f / width, of f fraction bits behind the norm */
    uint32_t first; /* of the gradients of its gains in `sums` */
} te_lm_learn_norm;

typedef struct te_lm_loss_params {
    te_lm_learn_matrix classifier;
    te_lm_learn_norm norm;
    uint32_t first; /* of the gradients of the bias */
    uint32_t count; /* of all trained numbers */
    uint32_t tokens;
} te_lm_loss_params;

/* Adds the cross-entropy of the next token (the sample's label) to the result's loss; unless it is only judged, what
 * that means for the bias, the gains of the last norm and its input x. scratch: 4 bytes per logit and per x. */
void te_lm_loss(const te_lm_loss_params *p, const int32_t *logits, const int32_t *x, const int32_t *position,
                const float *sums, const float *gradient, float *sums_next, float *gradient_next,
                void *scratch, te_train_context *context);

typedef struct te_lm_block_params {
    uint32_t tokens; /* of a segment at most */
    te_lm_position_params position;
    te_lm_learn_norm attention_norm, feed_norm;
    te_lm_learn_matrix attention_in, attention_out, feed_in, feed_out;
    te_lm_rotate_params rotate;
    te_lm_attention_params attention;
    te_lm_gate_params gate;
} te_lm_block_params;

/* What te_lm_block_gradient reads, in this order. */
enum {
    TE_LM_POSITION, /* int32: tokens of the segment */
    TE_LM_INPUT,    /* int32 [token][width]: kept where the block begins */
    TE_LM_MIDDLE,   /* int32 [token][width]: kept behind the attention */
    TE_LM_KEYS,
    TE_LM_VALUES,
    TE_LM_SUMS,    /* float, changed */
    TE_LM_GRADIENT /* float, changed */
};

/* Sums gain those of the block's gains; the gradient of what is behind the block becomes that of its input. Scratch
 * memory in bytes, W the width, K that of all keys, F the hidden width, T tokens, V variants of angles, all rounded up to
 * 4: 8 per W, 8 per K and T, 8 per T; 8 per the larger of 2 F and W + 2 K; 4 per hidden value filled up; 2 per V and
 * channel of a head; for 4 bits the stream of a vector of W. */
void te_lm_block_gradient(const te_lm_block_params *p, const void *const *inputs, void *nothing,
                          void *scratch, te_train_context *context);

/* Trained numbers of one kind: those of `first` .. first + count; kept within +-limit. A number changes by the rate
 * times scaling times its gradient. */
typedef struct te_lm_update_part {
    void *values; /* int32, or int16 */
    uint32_t wide, count, first;
    int32_t limit;
    float scaling;
} te_lm_update_part;

typedef struct te_lm_update_params {
    const te_lm_update_part *parts;
    uint32_t count;
} te_lm_update_params;

void te_lm_update(const te_lm_update_params *p, const float *sums, void *nothing, te_train_context *context);

TE_END_C

#endif
