#include "../support/te_conv_fast_run.h"
#include "tinyengine/te_row_ops.h"

void te_conv_rows(const void *params, const te_row_job *job) {
    for (uint32_t made = 0, count; made < job->count; made += count) {
        const uint32_t row = job->row + made;
        count = te_rows_in_line(&job->y, row, job->count - made);
        te_conv_fast_run(params, &job->x, te_row_of(&job->y, row), row, count, job->scratch);
    }
}
