#include "../support/te_requant.h"
#include "../support/te_row_sums.h"

void te_average_rows(const void *params, const te_row_job *job) {
    const te_average_rows_params *p = params;
    int32_t *sums = job->scratch;
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        te_row_sums_take(&p->shape, sums, te_row_of(&job->x, row), row);
    if (job->row + job->count < p->shape.rows) return;
    const int32_t count = (int32_t)(p->shape.rows * p->shape.pixels);
    for (uint32_t i = 0; i < p->shape.sums; i++) {
        const int32_t mean = (sums[i] > 0 ? sums[i] + count / 2 : sums[i] - count / 2) / count;
        job->y.data[i] = (int8_t)te_clamp(mean, p->min, p->max);
    }
}
