/* What the portable twins of te_depthwise_map_dsp.S know of an instance: its shape, the words of a staged
 * row, how it rounds. */
#ifndef TE_DEPTHWISE_PLANE_H
#define TE_DEPTHWISE_PLANE_H

#include "te_requant_fixed.h"
#include "tinyengine/te_depthwise_map.h"

/* `by` pixels from output to output; first and count of the words of each plane (by 2:
 * even and odd pixels) follow. */
typedef struct te_depthwise_shape {
    int32_t kernel, width, outputs, by, pad, fast;
} te_depthwise_shape;

/* A word of a row begins with pixel 2 * i - 1, not 2 * i, of its plane, if an even number of taps meets an
 * odd number of pixels of the padding in front. */
typedef struct te_depthwise_plane {
    int32_t shifted, words;
} te_depthwise_plane;

static inline te_depthwise_plane te_depthwise_plane_of(const te_depthwise_shape *k, int32_t odd) {
    const int32_t first = k->by == 1 ? 0 : (k->pad + odd) & 1; /* tap that meets it first */
    const int32_t padded = (k->pad + odd - first) / k->by, taps = (k->kernel - first + k->by - 1) / k->by;
    const int32_t pixels = k->by == 1 ? k->width : (k->width + 1 - odd) / 2;
    te_depthwise_plane p;
    p.shifted = padded & 1 && !(taps & 1);
    p.words = k->by == 1 || !odd || k->width > 1 ? (pixels + p.shifted + 1) / 2 : 0;
    return p;
}

static inline int32_t te_depthwise_row_words(const te_depthwise_shape *k) {
    return te_depthwise_plane_of(k, 0).words + (k->by == 2 ? te_depthwise_plane_of(k, 1).words : 0);
}

/* The output of channel `index` whose products sum up to `sum`. */
static inline int8_t te_depthwise_map_round(const te_depthwise_map_args *a, const te_depthwise_shape *k,
                                            uint32_t index, int32_t sum) {
    const int32_t first = a->constants[2 * index], m = a->constants[2 * index + 1];
    const int32_t acc = sum + ((int32_t)((uint32_t)first << 8) >> 8);
    if (k->fast) return (int8_t)te_round_fast(acc, m, a->out_zero);
    const uint32_t e = (uint32_t)first >> 24;
    return (int8_t)te_round_exact(2 * acc, m, (int32_t)((uint32_t)(2 * a->out_zero + 1) << e) >> 1,
                                  (int32_t)e);
}

/* What the two lists of te_depthwise_map_list.h become:
 * TE_DEPTHWISE_RUN(name, shape...) of every instance. */
#define TE_DEPTHWISE_SHAPES_ONE(k, w)                                                                        \
    TE_DEPTHWISE_RUN(te_depthwise_map_##k##_##w, k, w, w, 1, (k - 1) / 2, 0)                                 \
    TE_DEPTHWISE_RUN(te_depthwise_map_##k##_##w##_fast, k, w, w, 1, (k - 1) / 2, 1)
#define TE_DEPTHWISE_SHAPES_BY_2(k, w, p)                                                                    \
    TE_DEPTHWISE_RUN(te_depthwise_map_##k##_##w##_by_2_##p, k, w, (w + 1) / 2, 2, p, 0)                      \
    TE_DEPTHWISE_RUN(te_depthwise_map_##k##_##w##_by_2_##p##_fast, k, w, (w + 1) / 2, 2, p, 1)

#endif
