/* What the forward pass keeps for the backward pass. */
#include "tinyengine/te_backward.h"

static uint32_t scalar_bits(const te_clamp_mask_params *p, const int8_t *x, uint32_t count) {
    uint32_t word = 0;
    for (uint32_t k = 0; k < count; k++) word |= (uint32_t)(x[k] > p->low && x[k] < p->high) << k;
    return word;
}

#if TE_DSP
#include <arm_acle.h>
#include <string.h>

/* 32 elements, 4 at a time: a comparison sets a flag per byte, which selects the byte's bit. */
static uint32_t word_bits(const int8_t *x, uint32_t least, uint32_t most) {
    uint32_t word = 0;
    for (uint32_t k = 0; k < 32; k += 4) {
        uint32_t bytes;
        memcpy(&bytes, x + k, sizeof bytes);
        (void)__ssub8((int8x4_t)bytes, (int8x4_t)least);
        const uint32_t above = (uint32_t)__sel((uint8x4_t)0x08040201u, (uint8x4_t)0u);
        (void)__ssub8((int8x4_t)most, (int8x4_t)bytes);
        word |= (uint32_t)__usad8((uint8x4_t)__sel((uint8x4_t)above, (uint8x4_t)0u), (uint8x4_t)0u) << k;
    }
    return word;
}

static uint32_t whole_word(const te_clamp_mask_params *p, const int8_t *x) {
    if (p->low >= 127 || p->high <= -128) return 0;
    return word_bits(x, (uint32_t)(p->low + 1) % 256 * 0x01010101u,
                     (uint32_t)(p->high - 1) % 256 * 0x01010101u);
}
#else
static uint32_t whole_word(const te_clamp_mask_params *p, const int8_t *x) {
    return scalar_bits(p, x, 32);
}
#endif

void te_clamp_mask(const te_clamp_mask_params *p, const int8_t *x, int8_t *y) {
    uint32_t *words = (uint32_t *)(void *)y;
    uint32_t i = 0;
    for (; i + 32 <= p->count; i += 32) *words++ = whole_word(p, x + i);
    if (i < p->count) *words = scalar_bits(p, x + i, p->count - i);
}

void te_save_channels(const te_save_params *p, const int8_t *x, int8_t *y) {
    const uint32_t pitch = (p->pixels + 3) & ~3u;
    for (uint32_t j = 0; j < p->count; j++, y += pitch) {
        const int8_t *from = x + p->selected[j];
        for (uint32_t i = 0; i < p->pixels; i++, from += p->channels) y[i] = *from;
        for (uint32_t i = p->pixels; i < pitch; i++) y[i] = 0;
    }
}
