#include "tinyengine/te_conv_fast.h"
#include "tinyengine/te_copy_words.h"

void te_conv_trained_pair(const te_conv_fast_params *p, uint32_t pair, uint32_t channel, uint32_t *to) {
    const te_conv_trained *t = p->trained;
    const uint32_t words = 2u * p->groups + 2u + p->round_words, count = t->count;
    const uint32_t *multiplier = to + 2 + 2u * p->groups;
    te_copy_words(to, p->weights + pair * words, words);
    const int8_t *v0 = t->values + channel * count, *v1 = v0 + count;
    int8_t *weights = (int8_t *)(to + 2);
    int32_t sum0 = 0, sum1 = 0;
    for (uint32_t i = 0; i < count; i++) {
        int8_t *at = weights + t->places[i];
        at[0] = v0[i];
        at[4] = v1[i];
        sum0 += v0[i];
        sum1 += v1[i];
    }
    /* Where the multiplier is 0, the result is constant, and the bias may be too large to be added. */
    const uint32_t b0 = (uint32_t)t->bias[channel] - (uint32_t)(p->in_zero * sum0);
    const uint32_t b1 = (uint32_t)t->bias[channel + 1] - (uint32_t)(p->in_zero * sum1);
    if (multiplier[0]) to[0] += b0 << t->doubled;
    if (multiplier[t->second]) to[1] += b1 << t->doubled;
}
