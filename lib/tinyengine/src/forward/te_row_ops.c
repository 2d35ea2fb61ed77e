/* Operators by rows that run the inner loops of other kernels. */
#include "tinyengine/te_row_ops.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_conv_fast_run.h"
#include "../support/te_depthwise_fast_run.h"

void te_conv_rows(const void *params, const te_row_job *job) {
    for (uint32_t made = 0, count; made < job->count; made += count) {
        const uint32_t row = job->row + made;
        count = te_rows_in_line(&job->y, row, job->count - made);
        te_conv_fast_run(params, &job->x, te_row_of(&job->y, row), row, count, job->scratch);
    }
}

void te_depthwise_rows(const void *params, const te_row_job *job) {
    te_depthwise_fast_run(params, &job->x, &job->y, job->row, job->row, job->count, job->scratch);
}

void te_lut_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        te_lut_s8(params, te_row_of(&job->x, row), te_row_of(&job->y, row));
}

static inline void add_row(const te_add_rows_params *p, const int8_t *x, const int8_t *skip, int8_t *y) {
    p->add(&p->constants, p->skip_first ? skip : x, p->skip_first ? x : skip, y, p->count);
    te_clamp_s8(y, p->count, p->min, p->max);
}

void te_add_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        add_row(params, te_row_of(&job->x, row), te_row_of(&job->skip, row), te_row_of(&job->y, row));
}

/* Where the rows between the convolutions lie, and which of them is the first. */
static te_row_view between(const te_depthwise_project_params *p, const te_row_job *job, uint32_t *first) {
    te_row_view rows = {job->scratch, (uint32_t)p->depthwise.out.w * p->depthwise.out.c, job->count};
    *first = 0;
    if (p->consume) {
        const te_window *window = &p->depthwise.window;
        const int32_t capacity = (int32_t)job->x.capacity;
        const int32_t top = ((int32_t)job->row * window->sh - window->pad_top) % capacity;
        *first = (uint32_t)(top < 0 ? top + capacity : top);
        rows = job->x;
    }
    return rows;
}

void te_depthwise_project_rows(const void *params, const te_row_job *job) {
    const te_depthwise_project_params *p = params;
    uint8_t *work = (uint8_t *)job->scratch + p->work;
    uint32_t first;
    const te_row_view rows = between(p, job, &first);
    te_depthwise_fast_run(&p->depthwise, &job->x, &rows, first, job->row, job->count, work);

    if (p->add.add) { /* the result's rows may lie over those of skip, so it is added elsewhere */
        int8_t *sum = (int8_t *)job->scratch + p->sum;
        te_conv_fast_run(&p->project, &rows, sum, first, job->count, work);
        for (uint32_t i = 0; i < job->count; i++, sum += p->add.count) {
            const uint32_t row = job->row + i;
            add_row(&p->add, sum, te_row_of(&job->skip, row), te_row_of(&job->y, row));
        }
        return;
    }
    for (uint32_t made = 0, count; made < job->count; made += count) {
        const uint32_t row = job->row + made;
        count = te_rows_in_line(&job->y, row, job->count - made);
        te_conv_fast_run(&p->project, &rows, te_row_of(&job->y, row), first + made, count, work);
    }
}
