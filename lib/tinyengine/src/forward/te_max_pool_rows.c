#include "../support/te_pool_row.h"
#include "tinyengine/te_row_ops.h"

void te_max_pool_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        te_pool_row(params, &job->x, row, te_row_of(&job->y, row), te_pool_maximum);
}
