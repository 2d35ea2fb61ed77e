#include "../support/te_depthwise_fast_run.h"
#include "tinyengine/te_row_ops.h"

void te_depthwise_rows(const void *params, const te_row_job *job) {
    te_depthwise_fast_run(params, &job->x, &job->y, job->row, job->row, job->count, job->scratch);
}
