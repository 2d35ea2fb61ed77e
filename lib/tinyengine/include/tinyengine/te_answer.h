/* What a classifier's output means, as the host reads it (host/tinyengine/data/answers.py): an output whose
 * values all lie from 0 to 1 holds probabilities, any other logits, of which a softmax makes probabilities.
 * A single value is the probability, or the logit, of the second of two classes.
 *
 * Outputs are quantized ones (int8, uint8, int16). In IEEE single precision: within 2^-20 of the host's. */
#ifndef TE_ANSWER_H
#define TE_ANSWER_H

#include "tinyengine/te_model.h"

TE_BEGIN_C

/* Classes of an output; 0 for one that is not quantized. */
uint32_t te_classes(const te_port *output);

/* Probabilities of all classes, te_classes(output) of them. */
void te_probabilities(const te_port *output, float *probabilities);

/* The class with the highest probability (the first of several), or -1 where that is below `threshold`, or
 * where there are no classes. *probability, unless it is NULL, tells the probability. */
int32_t te_answer(const te_port *output, float threshold, float *probability);

TE_END_C

#endif
