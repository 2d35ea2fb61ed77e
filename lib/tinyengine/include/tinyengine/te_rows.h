/* Streaming by rows: a chain of operators, each of which makes output rows from rows of its input.
 *
 * A picture is kept by rows: row r lies at data + (r mod capacity) * row_bytes. With capacity = height it is
 * whole, with less it is a ring in which new rows replace dead ones. Nothing is computed twice, except inside
 * a patch (te_patch_rows in te_row_ops.h).
 *
 * WHO RUNS WHEN. Operator i reads picture i and writes picture i + 1. It runs in batches of output rows:
 * `first` of them, then `rows` at a time, then what remains. A batch that ends with row r runs as soon as
 * min(r * stride - pad_top + reach, in_h) rows of its input exist; before its input grows any further, the
 * operators behind it run as far as they can. So the order does not depend on how many rows are pushed at
 * once, and the compiler, which follows the same rule, knows which rows are alive at any time.
 *
 * An operator that `accumulates` takes in its input row by row (reach 1, stride 1, out_h = in_h) and has its
 * only output row with the last of them.
 */
#ifndef TE_ROWS_H
#define TE_ROWS_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

#define TE_NO_ROWS 0xffffu /* instead of the index of a picture */

/* Where a picture's rows lie in the chain's scratch. Of the first and the last picture, which are given at
 * the call, `offset` is not used. */
typedef struct te_rows {
    uint32_t offset, row_bytes;
    uint16_t capacity;
} te_rows;

/* The same as addresses. */
typedef struct te_row_view {
    int8_t *data;
    uint32_t row_bytes, capacity;
} te_row_view;

/* One batch: make output rows row .. row + count - 1. */
typedef struct te_row_job {
    te_row_view x, skip, y; /* skip.data is NULL without a second input */
    uint32_t row, count;
    void *scratch;
} te_row_job;

typedef void te_row_fn(const void *params, const te_row_job *job);

typedef struct te_row_op {
    te_row_fn *run;
    const void *params;
    uint16_t x, y, skip; /* pictures; skip may be TE_NO_ROWS */
    uint16_t in_h, out_h, reach, stride, pad_top;
    uint16_t rows, first; /* output rows per batch, 1 <= first <= rows */
    uint16_t accumulates;
    uint32_t scratch;   /* offset, a multiple of 4 */
    uint32_t skip_from; /* bytes at the beginning of each row of skip that are not looked at */
} te_row_op;

typedef struct te_chain {
    const te_row_op *ops;
    const te_rows *rows;
    uint16_t n_ops, n_rows; /* n_rows = n_ops + 1 */
    uint32_t state;         /* offset in scratch of a uint16_t per picture: how many of its rows exist */
} te_chain;

/* The whole chain over an input that is there already. */
void te_chain_s8(const te_chain *c, const int8_t *x, int8_t *y, void *scratch);

/* The same while the input arrives: begin, then push until all its rows have been announced. Whoever pushes
 * puts rows of picture 0 to their places in x first, never over one that is alive. */
void te_chain_begin(const te_chain *c, void *scratch);
void te_chain_push(const te_chain *c, const int8_t *x, int8_t *y, void *scratch, uint32_t count);

static inline int8_t *te_row_of(const te_row_view *v, uint32_t row) {
    if (row >= v->capacity) row %= v->capacity; /* whole pictures need no division */
    return v->data + row * v->row_bytes;
}

/* How many of the `count` rows from `row` on lie one after the other. */
static inline uint32_t te_rows_in_line(const te_row_view *v, uint32_t row, uint32_t count) {
    const uint32_t room = v->capacity - row % v->capacity;
    return room < count ? room : count;
}

TE_END_C

#endif
