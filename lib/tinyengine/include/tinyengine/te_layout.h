/* Moving bytes: padding, transposing, slicing, joining, resizing. */
#ifndef TE_LAYOUT_H
#define TE_LAYOUT_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_pad_params {
    uint32_t dims[4]; /* of the input */
    uint32_t before[4], after[4];
    int8_t value;
} te_pad_params;

/* Constant padding on four axes, in the order of the output's addresses. */
void te_pad_s8(const te_pad_params *p, const int8_t *x, int8_t *y);

typedef struct te_strided_copy_params {
    uint32_t dims[4];  /* of the dense output */
    int32_t stride[4]; /* of the input, in bytes; may be negative */
    uint32_t offset;   /* of the first byte read */
} te_strided_copy_params;

/* y[i0][i1][i2][i3] = x[offset + i0 * stride[0] + ... + i3 * stride[3]]: TRANSPOSE, STRIDED_SLICE. */
void te_strided_copy_s8(const te_strided_copy_params *p, const int8_t *x, int8_t *y);

typedef struct te_concat_params {
    uint32_t outer; /* how often the inputs take turns */
    uint32_t inputs;
    const uint32_t *bytes; /* [inputs]: bytes of each input per turn */
} te_concat_params;

/* Concatenation: each turn appends the next bytes of every input. */
void te_concat_s8(const te_concat_params *p, const int8_t *const *inputs, int8_t *y);

typedef struct te_shift_params {
    uint32_t outer;        /* how many windows */
    uint32_t window, news; /* bytes of each of them, and how many are new */
} te_shift_params;

/* Each window without its first bytes, and the new ones behind it. y may be the window, or lie before it. */
void te_shift_s8(const te_shift_params *p, const int8_t *window, const int8_t *news, int8_t *y);

typedef struct te_resize_nearest_params {
    te_hwc in, out;
    const uint16_t *rows;    /* [out.h]: input row of each output row */
    const uint16_t *columns; /* [out.w] */
} te_resize_nearest_params;

/* Nearest neighbour by index tables, output row by output row. */
void te_resize_nearest_s8(const te_resize_nearest_params *p, const int8_t *x, int8_t *y);

TE_END_C

#endif
