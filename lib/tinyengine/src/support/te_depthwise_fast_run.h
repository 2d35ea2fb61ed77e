/* The depthwise convolution of te_depthwise_fast.h over pictures that are kept by rows. */
#ifndef TE_DEPTHWISE_FAST_RUN_H
#define TE_DEPTHWISE_FAST_RUN_H

#include "tinyengine/te_depthwise_fast.h"
#include "tinyengine/te_rows.h"

/* Output rows row .. row + rows - 1 as rows to .. to + rows - 1 of y. They may lie where rows of x lie that
 * no later output row needs: row `to + i` of y over the i-th row under the window or before it. */
void te_depthwise_fast_run(const te_depthwise_fast_params *p, const te_row_view *x, const te_row_view *y,
                           uint32_t to, uint32_t row, uint32_t rows, void *scratch);

#endif
