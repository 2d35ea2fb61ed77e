/* Sums of four neighbouring channels over many pixels: SXTAB16 adds two channels at a time as int16; with Helium, four
 * at a time as int32. */
#ifndef TE_SUM_FOUR_H
#define TE_SUM_FOUR_H

#include "tinyengine/te_types.h"

#include <string.h>

#if TE_MVE
#include <arm_mve.h>
#elif TE_DSP
#include <arm_acle.h>
#endif

#define TE_SUM_FOUR_MAX 255 /* values of -128 whose sum fits int16 */

/* sums[c] += values c of `rows` x `columns` pixels, the first at x. columns <= TE_SUM_FOUR_MAX. BUDGET (DSP):
 * 6 instructions per pixel, 15 per row; Helium: 4 per pixel. */
static inline void te_sum_four(const int8_t *x, uint32_t rows, uint32_t row_bytes, uint32_t columns,
                               uint32_t column_bytes, int32_t sums[4]) {
#if TE_MVE
    int32x4_t all = vld1q_s32(sums);
    for (uint32_t r = 0; r < rows; r++, x += row_bytes) {
        const int8_t *pixel = x;
        for (uint32_t k = columns; k; k--, pixel += column_bytes) all = vaddq_s32(all, vldrbq_s32(pixel));
    }
    vst1q_s32(sums, all);
#else
    for (uint32_t r = 0; r < rows; r++, x += row_bytes) {
        const int8_t *pixel = x;
#if TE_DSP
        int16x2_t even = 0, odd = 0;
        for (uint32_t k = columns; k; k--, pixel += column_bytes) {
            uint32_t bytes;
            memcpy(&bytes, pixel, 4);
            even = __sxtab16(even, (int8x4_t)bytes);
            odd = __sxtab16(odd, (int8x4_t)(bytes >> 8 | bytes << 24));
        }
        sums[0] += (int16_t)even;
        sums[1] += (int16_t)odd;
        sums[2] += (int32_t)even >> 16;
        sums[3] += (int32_t)odd >> 16;
#else
        for (uint32_t k = columns; k; k--, pixel += column_bytes)
            for (uint32_t c = 0; c < 4; c++) sums[c] += pixel[c];
#endif
    }
#endif
}

#endif
