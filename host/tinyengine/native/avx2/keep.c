/* Twin of te_clamp_mask. */
#include "tinyengine/te_backward.h"

#include "lanes.h"

void te_clamp_mask(const te_clamp_mask_params *p, const int8_t *x, uint8_t *y) {
    const int nothing = p->low >= 127 || p->high <= -128;
    const __m256i low = _mm256_set1_epi8((char)(p->low < -128 ? -128 : p->low));
    const __m256i high = _mm256_set1_epi8((char)(p->high > 127 ? 127 : p->high));
    const __m256i below = _mm256_set1_epi8(p->low < -128 ? -1 : 0),
                  above = _mm256_set1_epi8(p->high > 127 ? -1 : 0);
    uint32_t i = 0;
    for (; i + 32 <= p->count; i += 32, y += 4) {
        const __m256i values = _mm256_loadu_si256((const __m256i *)(const void *)(x + i));
        const __m256i enough = _mm256_or_si256(_mm256_cmpgt_epi8(values, low), below);
        const __m256i most = _mm256_or_si256(_mm256_cmpgt_epi8(high, values), above);
        const int word = nothing ? 0 : _mm256_movemask_epi8(_mm256_and_si256(enough, most));
        memcpy(y, &word, sizeof word);
    }
    uint32_t word = 0;
    for (uint32_t k = 0; i + k < p->count; k++)
        word |= (uint32_t)(x[i + k] > p->low && x[i + k] < p->high) << k;
    if (i < p->count) memcpy(y, &word, sizeof word);
}
