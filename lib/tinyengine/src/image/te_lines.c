/* te_lines.h in C. */
#include "te_lines.h"

#if !TE_DSP

TE_INLINE uint32_t word_of(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

TE_INLINE void add_field(uint32_t *sum, uint32_t fields, uint32_t numbers, uint32_t weights, int begin) {
    sum[0] = sum[begin ? fields : 0] + numbers * (weights & 0xFFFF);
    sum[fields] = (begin ? 0 : sum[fields]) + numbers * (weights >> 16);
}

TE_INLINE void add_565(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights, int swap,
                       int begin) {
    for (const uint8_t *const end = bytes + 4 * words; bytes < end; bytes += 4, sums += 6) {
        uint32_t two = word_of(bytes);
        if (swap) two = (two & 0x00FF00FF) << 8 | (two >> 8 & 0x00FF00FF);
        add_field(sums, 3, two >> 11 & 0x001F001F, weights, begin);
        add_field(sums + 1, 3, two >> 5 & 0x003F003F, weights, begin);
        add_field(sums + 2, 3, two, weights, begin);
    }
}

TE_INLINE void add_bytes(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights, int begin) {
    for (const uint8_t *const end = bytes + 4 * words; bytes < end; bytes += 4, sums += 4) {
        add_field(sums, 2, bytes[0] | (uint32_t)bytes[2] << 16, weights, begin);
        add_field(sums + 1, 2, bytes[1] | (uint32_t)bytes[3] << 16, weights, begin);
    }
}

void te_add_rgb565le(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights) {
    add_565(sums, bytes, words, weights, 0, 0);
}

void te_begin_rgb565le(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights) {
    add_565(sums, bytes, words, weights, 0, 1);
}

void te_add_rgb565be(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights) {
    add_565(sums, bytes, words, weights, 1, 0);
}

void te_begin_rgb565be(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights) {
    add_565(sums, bytes, words, weights, 1, 1);
}

void te_add_bytes(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights) {
    add_bytes(sums, bytes, words, weights, 0);
}

void te_begin_bytes(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights) {
    add_bytes(sums, bytes, words, weights, 1);
}

#endif
