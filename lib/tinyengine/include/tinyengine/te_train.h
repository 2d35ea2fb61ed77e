/* What the generated code tells the application about training a network.
 *
 * A network compiled with an update scheme has a trainer: te_model.trainer, else NULL. What training changes
 * lies in one block of SRAM, the state: trained weights and biases (and residual bytes, if compiled so). The
 * network reads its trained constants there, in inference too, so the state must be set before anything
 * runs: by reset(), or by copying state_bytes bytes that were saved under the same layout.
 *
 * One step: deliver the input as for inference (te_model.h: fill inputs[0].data, or begin and push_rows),
 * then call step() instead of run() or finish(). evaluate() likewise, without changing anything.
 */
#ifndef TE_TRAIN_H
#define TE_TRAIN_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* One sample: label < classes <= te_trainer.classes. Outputs from `classes` on take no part in the softmax. */
typedef struct te_train_sample {
    uint16_t label;
    uint16_t classes;
} te_train_sample;

/* Rounding bits follow from (seed, step, index of the weight) alone: the same numbers give the same weights.
 *
 * With velocities (te_trainer.velocity) the trained constants change with the last sample of a batch only, by
 * the velocities: each gains what a sample would change at `rate` / `batch`, and is multiplied by `momentum`
 * before the first sample of a batch gains. Without them batch is 1, momentum 0, sample 0.
 */
typedef struct te_train_update {
    float rate; /* learning rate; not negative */
    uint32_t seed;
    uint32_t step;
    float momentum;  /* with sample 0: what is kept of the velocities; 0 begins anew */
    uint16_t batch;  /* samples, at least 1 */
    uint16_t sample; /* number of this one in its batch, in order from 0 */
} te_train_update;

typedef struct te_train_result {
    float loss;         /* softmax cross-entropy of the sample, in nats, before the update */
    uint16_t predicted; /* class with the largest logit, before the update */
} te_train_result;

typedef struct te_trainer {
    const char *scheme; /* as given to the compiler */
    const char *layout; /* 16 hexadecimal digits of what the state means: network, scheme, classes, options */
    uint16_t classes;   /* outputs of the classifier */
    uint8_t *state;     /* aligned to 8 */
    uint32_t state_bytes;
    uint32_t trained_weights, trained_biases;
    float *velocity; /* NULL: compiled without; no part of the state, means nothing to another one */
    uint32_t velocity_count;
    uint8_t float_gradients; /* 1: gradients are IEEE singles (te_backward_float.h), 0: te_backward.h */
    void (*reset)(void);     /* the factory state, velocities 0 */
    te_train_result (*step)(const te_train_sample *sample, const te_train_update *update);
    te_train_result (*evaluate)(const te_train_sample *sample);
    /* Of a language model, instead of step and evaluate, which are NULL: a text of count + 1 tokens, each of which is to
     * foretell the next one; 0 < count <= segment_tokens. The loss is the mean. update NULL: changes nothing. States
     * begin anew, and hold the segment behind it. */
    te_train_result (*segment)(const uint16_t *tokens, uint32_t count, const te_train_update *update);
    uint32_t segment_tokens;
} te_trainer;

TE_END_C

#endif
