#include "tinyengine/te_depthwise_fast.h"

#define PLAIN (1 << 16)

void te_depthwise_trained_fast_s8(const te_depthwise_trained_fast_params *p, const int8_t *x, int8_t *y,
                                  void *scratch) {
    te_depthwise_fast_params whole = p->fast;
    const int32_t *from = whole.channels, *limit = p->limits;
    int32_t *table = scratch, *to = table;
    for (uint32_t c = 0; c < whole.in.c; c++, from += 4, to += 4, limit += 2) {
        /* Where the multiplier is 0, the result is constant, and the bias may be too large to be added. */
        const int32_t bias = from[1] ? from[0] + p->bias[c] : from[0];
        to[0] = bias;
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
        if (bias < limit[0] || bias > limit[1]) {
            to[3] |= PLAIN;
            whole.some_plain = 1;
        }
    }
    whole.channels = table;
    te_depthwise_fast_s8(&whole, x, y, to);
}
