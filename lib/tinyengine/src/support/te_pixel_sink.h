/* Where the pixels of a gradient go: stored, or added to what other readers of the tensor have given. */
#ifndef TE_PIXEL_SINK_H
#define TE_PIXEL_SINK_H

#include "te_block_float.h"

typedef struct te_pixel_sink {
    uint32_t channels;
    const int16_t *known; /* or NULL; may be the same bytes as y */
    const int8_t *known_exponents;
    int16_t *y;
    int8_t *exponents;
    int32_t *sums; /* working memory, [channels] */
    int16_t *own;  /* working memory, [channels]; unused without `known` */
} te_pixel_sink;

/* scratch: 6 bytes per channel, of which the first 4 are `sums`. */
static inline te_pixel_sink te_sink_of(uint32_t pixels, uint32_t channels, const int16_t *known, int16_t *y,
                                       void *scratch) {
    te_pixel_sink s;
    s.channels = channels;
    s.known = known;
    s.known_exponents = known ? te_exponents_of(known, pixels, channels) : 0;
    s.y = y;
    s.exponents = te_exponents(y, pixels, channels);
    s.sums = scratch;
    s.own = (int16_t *)(void *)(s.sums + channels);
    return s;
}

/* The pixel's mantissas are in `own` (with `known`) or already in their place. */
static inline void te_sink_pixel(const te_pixel_sink *s, uint32_t pixel, const int16_t *own,
                                 int32_t exponent) {
    const uint32_t at = pixel * s->channels;
    if (s->known)
        exponent = te_add_pixel(s->known + at, s->known_exponents[pixel], own, exponent, s->channels, s->sums,
                                s->y + at);
    else if (own != s->y + at)
        memcpy(s->y + at, own, 2 * s->channels);
    s->exponents[pixel] = (int8_t)exponent;
}

/* Where to put the mantissas of a pixel. */
static inline int16_t *te_sink_place(const te_pixel_sink *s, uint32_t pixel) {
    return s->known ? s->own : s->y + pixel * s->channels;
}

/* The pixel's int32 sums, whose |values| combine to `magnitude` by or, times 2^exponent. */
static inline void te_sink_sums(const te_pixel_sink *s, uint32_t pixel, const int32_t *sums,
                                uint32_t magnitude, int32_t exponent) {
    int16_t *own = te_sink_place(s, pixel);
    te_sink_pixel(s, pixel, own, te_normalize_known(sums, s->channels, magnitude, exponent, own));
}

#endif
