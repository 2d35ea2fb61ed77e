/* The depthwise convolution of te_depthwise_fast.h over pictures that are kept by rows. */
#ifndef TE_DEPTHWISE_FAST_RUN_H
#define TE_DEPTHWISE_FAST_RUN_H

#include "tinyengine/te_depthwise_fast.h"
#include "tinyengine/te_rows.h"

/* Output rows row .. row + rows - 1, one after the other at y. They may lie where rows of x lie that no other
 * output row needs, pixel by pixel not behind them: a channel's rows are written when those under its window
 * have been read. */
void te_depthwise_fast_run(const te_depthwise_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row,
                           uint32_t rows, void *scratch);

#endif
