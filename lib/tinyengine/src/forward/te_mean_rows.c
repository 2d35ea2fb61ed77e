#include "../support/te_requant.h"
#include "../support/te_row_sums.h"

static void average(const te_mean_rows_params *p, const int32_t *sums, int8_t *y) {
    const te_mean_params *mean = &p->mean;
    const int32_t offset = (int32_t)(p->shape.rows * p->shape.pixels) * mean->in_zero;
    for (uint32_t i = 0; i < p->shape.sums; i++) {
        const int32_t value = te_scale(sums[i] - offset, mean->multiplier, mean->shift);
        y[i] = (int8_t)te_clamp(te_wrap_add(value, mean->out_zero), INT8_MIN, INT8_MAX);
    }
}

void te_mean_rows(const void *params, const te_row_job *job) {
    const te_mean_rows_params *p = params;
    int32_t *sums = job->scratch;
    int8_t *line = (int8_t *)(sums + p->shape.sums), *y = job->y.data;
    for (uint32_t row = job->row; row < job->row + job->count; row++) {
        const int8_t *x = te_row_of(&job->x, row);
        if (p->has_before) te_mean_s8(&p->before, x, line);
        te_row_sums_take(&p->shape, sums, p->has_before ? line : x, row);
    }
    if (job->row + job->count < p->shape.rows) return;
    average(p, sums, p->has_behind ? line : y);
    if (p->has_behind) te_mean_s8(&p->behind, line, y);
}
