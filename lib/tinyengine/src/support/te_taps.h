/* Which taps of a sliding window lie inside the picture, for one axis. */
#ifndef TE_TAPS_H
#define TE_TAPS_H

#include "tinyengine/te_types.h"

/* Tap k in first..end-1 reads input position origin + k * dilation. */
typedef struct te_taps {
    int32_t origin, first, end;
} te_taps;

TE_INLINE te_taps te_taps_of(int32_t out, int32_t stride, int32_t pad, int32_t kernel, int32_t dilation,
                             int32_t size) {
    te_taps t = {out * stride - pad, 0, 0};
    if (t.origin < 0) t.first = (dilation - 1 - t.origin) / dilation;
    if (t.origin < size) t.end = (size - t.origin + dilation - 1) / dilation;
    if (t.end > kernel) t.end = kernel;
    if (t.first > t.end) t.first = t.end;
    return t;
}

#endif
