#include "tinyengine/te_layout.h"

#include "tinyengine/te_copy_words.h"

#include <string.h>

static int8_t *fill(int8_t *y, int8_t value, uint32_t count) {
    memset(y, value, count);
    return y + count;
}

void te_pad_s8(const te_pad_params *p, const int8_t *x, int8_t *y) {
    const uint32_t *n = p->dims, *before = p->before, *after = p->after;
    const uint32_t line = before[3] + n[3] + after[3];
    const uint32_t plane = (before[2] + n[2] + after[2]) * line;
    const uint32_t block = (before[1] + n[1] + after[1]) * plane;
    y = fill(y, p->value, before[0] * block);
    for (uint32_t i = 0; i < n[0]; i++) {
        y = fill(y, p->value, before[1] * plane);
        for (uint32_t j = 0; j < n[1]; j++) {
            y = fill(y, p->value, before[2] * line);
            for (uint32_t k = 0; k < n[2]; k++, x += n[3]) {
                y = fill(y, p->value, before[3]);
                memmove(y, x, n[3]);
                y = fill(y + n[3], p->value, after[3]);
            }
            y = fill(y, p->value, after[2] * line);
        }
        y = fill(y, p->value, after[1] * plane);
    }
    fill(y, p->value, after[0] * block);
}

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

void te_concat_s8(const te_concat_params *p, const int8_t *const *inputs, int8_t *y) {
    for (uint32_t turn = 0; turn < p->outer; turn++)
        for (uint32_t i = 0; i < p->inputs; i++) {
            memmove(y, inputs[i] + turn * p->bytes[i], p->bytes[i]);
            y += p->bytes[i];
        }
}

void te_shift_s8(const te_shift_params *p, const int8_t *window, const int8_t *news, int8_t *y) {
    const uint32_t kept = p->window - p->news;
    for (uint32_t i = 0; i < p->outer; i++, window += p->window, news += p->news) {
        if ((p->window | p->news | (uint32_t)(uintptr_t)window | (uint32_t)(uintptr_t)y) % 4 == 0)
            te_copy_words(y, window + p->news, kept / 4);
        else
            memmove(y, window + p->news, kept);
        memcpy(y + kept, news, p->news);
        y += p->window;
    }
}

void te_resize_nearest_s8(const te_resize_nearest_params *p, const int8_t *x, int8_t *y) {
    const uint32_t channels = p->in.c;
    for (uint32_t r = 0; r < p->out.h; r++) {
        const int8_t *row = x + (uint32_t)p->rows[r] * p->in.w * channels;
        for (uint32_t c = 0; c < p->out.w; c++, y += channels)
            memmove(y, row + p->columns[c] * channels, channels);
    }
}
