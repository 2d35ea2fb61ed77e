#include "tinyengine/te_layout.h"

#include <string.h>

void te_strided_copy_s8(const te_strided_copy_params *p, const int8_t *x, int8_t *y) {
    const uint32_t *n = p->dims;
    const int32_t *s = p->stride;
    for (uint32_t i = 0; i < n[0]; i++)
        for (uint32_t j = 0; j < n[1]; j++)
            for (uint32_t k = 0; k < n[2]; k++) {
                const int8_t *from =
                    x + p->offset + (int32_t)i * s[0] + (int32_t)j * s[1] + (int32_t)k * s[2];
                if (s[3] == 1) {
                    memmove(y, from, n[3]);
                    y += n[3];
                } else {
                    for (uint32_t c = 0; c < n[3]; c++, from += s[3]) *y++ = *from;
                }
            }
}
