/* The depthwise convolution of te_depthwise_fast.h over pictures that are kept by rows. */
#ifndef TE_DEPTHWISE_FAST_RUN_H
#define TE_DEPTHWISE_FAST_RUN_H

#include "tinyengine/te_depthwise_fast.h"
#include "tinyengine/te_rows.h"

/* Output rows row .. row + rows - 1 as rows to .. to + rows - 1 of y. They may lie where rows of x lie that
 * no later output row needs: row `to + i` of y over the i-th row under the window or before it. */
void te_depthwise_fast_run(const te_depthwise_fast_params *p, const te_row_view *x, const te_row_view *y,
                           uint32_t to, uint32_t row, uint32_t rows, void *scratch);

/* Output rows row .. row + rows - 1, the first one at y. */
typedef struct te_depthwise_batch {
    const te_row_view *x;
    int8_t *y;
    int32_t row, rows, line; /* line: bytes between rows of y */
} te_depthwise_batch;

/* Constants of one channel, as in te_depthwise_fast_params.channels. */
typedef struct te_depthwise_channel {
    int32_t bias, m, c, e, l;
} te_depthwise_channel;

/* Channels c .. c + count - 1 on p->map, with these taps and constants in place of p's. */
void te_depthwise_run_map(const te_depthwise_fast_params *p, int32_t c, int32_t count, const int8_t *packed,
                          const int32_t *constants, const te_depthwise_batch *b, uint32_t *scratch);

/* Channel c plainly. */
void te_depthwise_run_plain(const te_depthwise_fast_params *p, int32_t c, const int8_t *packed,
                            const te_depthwise_channel *ch, const te_depthwise_batch *b, int16_t *scratch);

#endif
