/* The convolution of te_conv_fast.h over pictures that are kept by rows. */
#ifndef TE_CONV_FAST_RUN_H
#define TE_CONV_FAST_RUN_H

#include "tinyengine/te_conv_fast.h"
#include "tinyengine/te_rows.h"

/* Output rows row .. row + rows - 1, one after the other at y. */
void te_conv_fast_run(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, uint32_t row,
                      uint32_t rows, void *scratch);

/* Computes all output channels of one block of pixels, whose columns are gathered: `args` as for p->tiles. */
typedef void te_conv_block_fn(const te_conv_fast_params *p, const te_conv_tiles_args *args, void *context);

/* The whole picture, with `block` in place of p->tiles. Not for narrow kernels. */
void te_conv_fast_run_blocks(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, void *scratch,
                             te_conv_block_fn *block, void *context);

#endif
