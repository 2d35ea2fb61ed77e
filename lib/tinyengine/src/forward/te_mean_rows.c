#include "../support/te_mean_round.h"
#include "../support/te_row_sums.h"

static void average(const te_mean_rows_params *p, const int32_t *sums, int8_t *y) {
    const te_mean_round round = te_mean_round_of(&p->mean, p->shape.rows * p->shape.pixels);
    for (uint32_t i = 0; i < p->shape.sums; i++) y[i] = te_mean_of(&p->mean, &round, sums[i]);
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
