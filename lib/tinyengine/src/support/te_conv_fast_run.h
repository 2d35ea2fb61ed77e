/* The convolution of te_conv_fast.h over pictures that are kept by rows. */
#ifndef TE_CONV_FAST_RUN_H
#define TE_CONV_FAST_RUN_H

#include "tinyengine/te_conv_fast.h"
#include "tinyengine/te_rows.h"

te_conv_run_fn te_conv_fast_run;

/* Computes all output channels of one block of pixels, whose columns are gathered: `args` as for p->tiles. */
typedef void te_conv_block_fn(const te_conv_fast_params *p, const te_conv_tiles_args *args, void *context);

/* The whole picture, with `block` in place of p->tiles. Not for narrow kernels. */
void te_conv_fast_run_blocks(const te_conv_fast_params *p, const te_row_view *x, int8_t *y, void *scratch,
                             te_conv_block_fn *block, void *context);

#endif
