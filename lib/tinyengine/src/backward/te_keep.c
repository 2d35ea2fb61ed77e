/* What the forward pass keeps for the backward pass. */
#include "tinyengine/te_backward.h"

/* Up to 8 elements. */
static uint32_t few_bits(const te_clamp_mask_params *p, const int8_t *x, uint32_t count) {
    uint32_t bits = 0;
    for (uint32_t k = 0; k < count; k++) bits |= (uint32_t)(x[k] > p->low && x[k] < p->high) << k;
    return bits;
}

#if TE_DSP
#include <arm_acle.h>
#include <string.h>

/* Of 4 elements those bits of `bits`, a byte each, whose element less `least` is below
 * `count`, modulo 256. */
static inline uint32_t select_bits(const int8_t *x, uint32_t least, uint32_t count, uint32_t bits) {
    uint32_t bytes;
    memcpy(&bytes, x, sizeof bytes);
    const uint8x4_t from = __usub8((uint8x4_t)bytes, (uint8x4_t)least);
    (void)__usub8(from, (uint8x4_t)count); /* a flag per byte: not below */
    return (uint32_t)__sel((uint8x4_t)0u, (uint8x4_t)bits);
}

/* 8 elements to a byte of the mask, 4 at a time. */
static void whole_bytes(const te_clamp_mask_params *p, const int8_t *x, uint32_t bytes, uint8_t *y) {
    const int32_t low = p->low < -129 ? -129 : p->low, high = p->high > 128 ? 128 : p->high;
    const int32_t pass = high - low - 1; /* values that do */
    if (pass <= 0 || pass > 255) {
        memset(y, pass <= 0 ? 0 : 255, bytes);
        return;
    }
    const uint32_t least = ((uint32_t)low + 1) % 256 * 0x01010101u, count = (uint32_t)pass * 0x01010101u;
    for (const uint8_t *end = y + bytes; y != end; x += 8) {
        const uint32_t bits =
            select_bits(x, least, count, 0x08040201u) | select_bits(x + 4, least, count, 0x80402010u);
        *y++ = (uint8_t)__usad8((uint8x4_t)bits, (uint8x4_t)0u); /* the sum of its bytes */
    }
}
#else
static void whole_bytes(const te_clamp_mask_params *p, const int8_t *x, uint32_t bytes, uint8_t *y) {
    for (uint32_t i = 0; i < bytes; i++, x += 8) y[i] = (uint8_t)few_bits(p, x, 8);
}
#endif

void te_clamp_mask(const te_clamp_mask_params *p, const int8_t *x, uint8_t *y) {
    const uint32_t whole = p->count / 8, rest = p->count % 8, size = (p->count + 31) / 32 * 4;
    whole_bytes(p, x, whole, y);
    for (uint32_t i = whole; i < size; i++) y[i] = 0;
    if (rest) y[whole] = (uint8_t)few_bits(p, x + 8 * whole, rest);
}

void te_save_channels(const te_save_params *p, const int8_t *x, int8_t *y) {
    const uint32_t pitch = (p->pixels + 3) & ~3u;
    for (uint32_t j = 0; j < p->count; j++, y += pitch) {
        const int8_t *from = x + p->selected[j];
        for (uint32_t i = 0; i < p->pixels; i++, from += p->channels) y[i] = *from;
        for (uint32_t i = p->pixels; i < pitch; i++) y[i] = 0;
    }
}
