#include "tinyengine/te_row_ops.h"

void te_lut_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        te_lut_s8(params, te_row_of(&job->x, row), te_row_of(&job->y, row));
}
