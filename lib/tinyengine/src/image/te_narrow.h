/* A line narrowed into the sums of two rows (te_narrowing.sums), from its first pixel on: assembly. */
#ifndef TE_NARROW_H
#define TE_NARROW_H

#include "tinyengine/te_image.h"

#if TE_DSP
void te_narrow_rgb565le(const te_narrowing *to, const uint8_t *pixel); /* weights times 2^9 */
void te_narrow_rgb565be(const te_narrowing *to, const uint8_t *pixel); /* weights times 2^9 */
void te_narrow_rgb888(const te_narrowing *to, const uint8_t *pixel);
/* `second`: whether the pixel is the second of its pair; weights times 2^9 */
void te_narrow_yuyv(const te_narrowing *to, const uint8_t *pixel, uint32_t second);
void te_narrow_uyvy(const te_narrowing *to, const uint8_t *pixel, uint32_t second);
void te_narrow_grays(const te_narrowing *to, const uint8_t *pixel);       /* 1 byte apart */
void te_narrow_other_grays(const te_narrowing *to, const uint8_t *pixel); /* 2 bytes apart */
#endif

#endif
