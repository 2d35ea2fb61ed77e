#include "../support/te_add_row.h"

void te_add_rows(const void *params, const te_row_job *job) {
    for (uint32_t row = job->row; row < job->row + job->count; row++)
        te_add_row(params, te_row_of(&job->x, row), te_row_of(&job->skip, row), te_row_of(&job->y, row));
}
