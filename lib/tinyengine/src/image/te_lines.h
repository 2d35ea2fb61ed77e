/* Lines added to the sums of their columns (te_add_line), and rows of these sums narrowed (te_narrowing): assembly
 * where there is the DSP extension. Words of sums hold two of 16 bits, of
 *
 *     RGB565      red, green, and whole pixels modulo 2^32: less red and green, they are blue
 *     bytes       bytes 0 and 2, bytes 1 and 3
 */
#ifndef TE_LINES_H
#define TE_LINES_H

#include "tinyengine/te_image.h"

te_add_line te_add_rgb565le, te_begin_rgb565le, te_add_rgb565be, te_begin_rgb565be, te_add_bytes,
    te_begin_bytes;

/* Of totals of RGB565, which are 5 or 6 bits times 2^22: 255 times 2^32 divided by the largest. */
#define SCALE_5 8423
#define SCALE_6 4145

#if TE_DSP
void te_narrow_rgb565(const te_narrowing *to);
void te_narrow_rgb888(const te_narrowing *to);
void te_narrow_yuyv(const te_narrowing *to);
void te_narrow_uyvy(const te_narrowing *to);
void te_narrow_gray8(const te_narrowing *to);
void te_narrow_yuyv_gray(const te_narrowing *to);
void te_narrow_uyvy_gray(const te_narrowing *to);
#endif

#endif
