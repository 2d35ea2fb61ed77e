/* te_chain_push for operators that contain a chain themselves. */
#ifndef TE_CHAIN_RUN_H
#define TE_CHAIN_RUN_H

#include "tinyengine/te_rows.h"

/* Called after each batch: operator `op` of the chain has made rows row .. row + count - 1. */
typedef void te_chain_made_fn(void *context, uint32_t op, uint32_t row, uint32_t count);

/* te_chain_push, with `made` (or NULL) called before any operator reads the new rows. */
void te_chain_run(const te_chain *c, const int8_t *x, int8_t *y, void *scratch, uint32_t count,
                  te_chain_made_fn *made, void *context);

#endif
