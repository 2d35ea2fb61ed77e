/* Portable twin of te_gradient_tile_dsp.S. */
#include "tinyengine/te_gradient_tile.h"

#if !TE_DSP

#include "../support/te_smlad.h"

void te_gradient_tile(const te_gradient_tile_args *a) {
    const int16_t *g = a->g;
    int32_t *sums = a->sums;
    for (uint32_t i = 0; i < a->pixels; i++, g += 8 * a->groups, sums += a->sums_pitch / 4)
        for (uint32_t c = 0; c < 4; c++) {
            const uint32_t *w = a->weights + 4 * c;
            int32_t sum = 0;
            for (uint32_t k = 0; k < a->groups; k++, w += 16)
                for (uint32_t j = 0; j < 4; j++) sum = te_smlad(te_load_pair(g + 8 * k + 2 * j), w[j], sum);
            sums[c] = sum;
        }
}

#else
typedef int te_gradient_tile_is_empty; /* ISO C wants a declaration */
#endif
