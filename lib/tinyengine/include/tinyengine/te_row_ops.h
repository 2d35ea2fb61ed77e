/* The operators of chains (te_rows.h). Each computes the same bytes as the layer kernel of its parameters,
 * with the same inner loops, whatever the rings' capacities and the batches of rows. */
#ifndef TE_ROW_OPS_H
#define TE_ROW_OPS_H

#include "tinyengine/te_add_fast.h"
#include "tinyengine/te_conv_fast.h"
#include "tinyengine/te_depthwise_fast.h"
#include "tinyengine/te_elementwise.h"
#include "tinyengine/te_pool.h"
#include "tinyengine/te_rows.h"

TE_BEGIN_C

/* te_conv_fast_params, with the scratch of te_conv_fast_s8. */
void te_conv_rows(const void *params, const te_row_job *job);

/* te_depthwise_fast_params, with the scratch of te_depthwise_fast_s8. */
void te_depthwise_rows(const void *params, const te_row_job *job);

/* ADD of x and skip, row by row. */
typedef struct te_add_rows_params {
    te_add_fn *add;
    te_add_fast_constants constants;
    int16_t min, max;
    uint16_t skip_first; /* skip is operand a */
    uint32_t count;      /* bytes per row */
} te_add_rows_params;

void te_add_rows(const void *params, const te_row_job *job);

/* A depthwise convolution, the 1x1 convolution behind it and, if add.add is not NULL, the addition of skip:
 * batch by batch, so that of the picture between the convolutions only one batch of rows exists.
 *
 * scratch: the batch's rows (none if they go into the ring of x), then whatever the convolutions need and,
 * for the addition, a batch of rows of the result. */
typedef struct te_depthwise_project_params {
    te_depthwise_fast_params depthwise;
    te_conv_fast_params project; /* in.h is the largest uint16_t: it counts rows as te_row_view does */
    te_add_rows_params add;
    uint32_t work;    /* offset in scratch behind the rows, a multiple of 4 */
    uint32_t sum;     /* and of the result's rows before the addition */
    uint16_t consume; /* rows go to the place of the topmost rows under their window, which must be dead */
} te_depthwise_project_params;

void te_depthwise_project_rows(const void *params, const te_row_job *job);

/* A table (te_lut_params) row by row; its count is per row. */
void te_lut_rows(const void *params, const te_row_job *job);

/* te_pool_params. */
void te_average_pool_rows(const void *params, const te_row_job *job);
void te_max_pool_rows(const void *params, const te_row_job *job);

/* Averages over all rows, taken in one by one (te_row_op.accumulates).
 *
 * scratch, kept between rows: `sums` int32_t, then as many bytes if there is a step before or behind. */
typedef struct te_row_sums {
    uint32_t sums;
    uint32_t pixels; /* of a row that go into each sum: sum i takes values i, i + sums, ... */
    uint32_t rows;
} te_row_sums;

/* MEAN over rows and columns, or two of them over one each: `before` over the columns of a row, or `behind`
 * over the columns of the averaged row. */
typedef struct te_mean_rows_params {
    te_row_sums shape;
    te_mean_params mean; /* its shape does not matter */
    uint16_t has_before, has_behind;
    te_mean_params before, behind;
} te_mean_rows_params;

void te_mean_rows(const void *params, const te_row_job *job);

/* AVERAGE_POOL_2D with a window over the whole picture. */
typedef struct te_average_rows_params {
    te_row_sums shape;
    int16_t min, max;
} te_average_rows_params;

void te_average_rows(const void *params, const te_row_job *job);

/* A patch: several operators as one, strip by strip. A batch of output rows needs a strip of rows of each
 * picture inside; rows under two strips are computed twice. Within a strip nothing is: it is a chain of its
 * own (te_rows.h), turned by 90 degrees, whose "rows" are columns of the strip, pixel by pixel from its top
 * to its bottom. So of a wide picture inside a patch only a few short columns exist, and between two batches
 * nothing at all.
 *
 * The operators inside are those of any chain with their windows turned as well. From top to bottom they do
 * not pad: what sticks out of a picture at its top or bottom is set to the picture's zero point, column by
 * column, which is what padding means.
 *
 * scratch: that of the chain inside, and behind its rings the last columns of its last picture (`out`). */
typedef struct te_patch_strip {
    uint16_t rows;          /* of the strip */
    uint16_t stride, above; /* output row r needs this picture's rows r * stride - above .. */
    uint16_t height;        /* of the whole picture */
    uint16_t pixel;         /* bytes */
    int16_t zero;
} te_patch_strip;

typedef struct te_patch_params {
    te_chain chain;
    const te_patch_strip *strips; /* per picture of the chain */
    uint32_t first, out;          /* offsets in scratch of the first and the last picture's columns */
    uint16_t columns;             /* of the input */
    uint16_t reach;               /* input rows under one output row */
} te_patch_params;

void te_patch_rows(const void *params, const te_row_job *job);

TE_END_C

#endif
