/* What the forward pass keeps for the backward pass. */
#include "tinyengine/te_backward.h"

void te_clamp_mask(const te_clamp_mask_params *p, const int8_t *x, int8_t *y) {
    uint32_t *words = (uint32_t *)(void *)y;
    for (uint32_t i = 0; i < p->count; i += 32, x += 32) {
        const uint32_t n = p->count - i < 32 ? p->count - i : 32;
        uint32_t word = 0;
        for (uint32_t k = 0; k < n; k++) word |= (uint32_t)(x[k] > p->low && x[k] < p->high) << k;
        *words++ = word;
    }
}

void te_save_channels(const te_save_params *p, const int8_t *x, int8_t *y) {
    const uint32_t pitch = (p->pixels + 3) & ~3u;
    for (uint32_t j = 0; j < p->count; j++, y += pitch) {
        const int8_t *from = x + p->selected[j];
        for (uint32_t i = 0; i < p->pixels; i++, from += p->channels) y[i] = *from;
        for (uint32_t i = p->pixels; i < pitch; i++) y[i] = 0;
    }
}
