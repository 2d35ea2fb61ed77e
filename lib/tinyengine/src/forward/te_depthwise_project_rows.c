#include "../support/te_add_row.h"
#include "../support/te_conv_fast_run.h"
#include "../support/te_depthwise_fast_run.h"

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
            te_add_row(&p->add, sum, te_row_of(&job->skip, row), te_row_of(&job->y, row));
        }
        return;
    }
    for (uint32_t made = 0, count; made < job->count; made += count) {
        const uint32_t row = job->row + made;
        count = te_rows_in_line(&job->y, row, job->count - made);
        te_conv_fast_run(&p->project, &rows, te_row_of(&job->y, row), first + made, count, work);
    }
}
