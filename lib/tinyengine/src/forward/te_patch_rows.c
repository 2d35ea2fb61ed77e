/* Several operators, strip by strip: what goes into a strip, what sticks out of it, what comes of it. */
#include "../support/te_chain_run.h"
#include "tinyengine/te_requant.h"
#include "tinyengine/te_row_ops.h"

#include <string.h>

typedef struct patch {
    const te_patch_params *p;
    const te_row_job *job;
    uint8_t *scratch;
} patch;

static te_row_view columns_of(const patch *a, uint32_t picture, uint32_t offset) {
    const te_rows *rows = &a->p->chain.rows[picture];
    const te_row_view v = {(int8_t *)(a->scratch + offset), rows->row_bytes, rows->capacity};
    return v;
}

/* The picture's row at the top of the strip; it may lie above the picture. */
static int32_t top_of(const te_patch_strip *s, uint32_t row) {
    return (int32_t)(row * s->stride) - s->above;
}

/* Column x of the input, from the top of the strip to the last row that the batch needs. */
static void gather(const patch *a, uint32_t x) {
    const te_patch_strip *s = &a->p->strips[0];
    const te_row_view to = columns_of(a, 0, a->p->first);
    int8_t *pixel = te_row_of(&to, x);
    const int32_t top = top_of(s, a->job->row);
    const int32_t needed = top + (int32_t)((a->job->count - 1) * s->stride) + a->p->reach;
    for (int32_t row = top; row < top + s->rows; row++, pixel += s->pixel) {
        if (row < 0 || row >= s->height || row >= needed) {
            memset(pixel, s->zero, s->pixel);
        } else {
            memcpy(pixel, te_row_of(&a->job->x, (uint32_t)row) + x * s->pixel, s->pixel);
        }
    }
}

/* Columns first .. first + count - 1 of the last picture go to the output's rows. */
static void scatter(const patch *a, uint32_t first, uint32_t count) {
    const uint32_t last = a->p->chain.n_ops, bytes = a->p->strips[last].pixel;
    const te_row_view from = columns_of(a, last, a->p->out);
    for (uint32_t i = 0; i < a->job->count; i++) {
        int8_t *y = te_row_of(&a->job->y, a->job->row + i) + first * bytes;
        for (uint32_t x = first; x < first + count; x++, y += bytes)
            memcpy(y, te_row_of(&from, x) + i * bytes, bytes);
    }
}

static void made(void *context, uint32_t op, uint32_t first, uint32_t count) {
    const patch *a = context;
    if (op + 1u == a->p->chain.n_ops) {
        scatter(a, first, count);
        return;
    }
    const te_patch_strip *s = &a->p->strips[op + 1];
    const int32_t top = top_of(s, a->job->row);
    const int32_t above = te_clamp(-top, 0, s->rows), below = te_clamp(top + s->rows - s->height, 0, s->rows);
    if (!above && !below) return;
    const te_row_view columns = columns_of(a, op + 1, a->p->chain.rows[op + 1].offset);
    for (uint32_t x = first; x < first + count; x++) {
        int8_t *column = te_row_of(&columns, x);
        memset(column, s->zero, (size_t)above * s->pixel);
        memset(column + (s->rows - below) * s->pixel, s->zero, (size_t)below * s->pixel);
    }
}

void te_patch_rows(const void *params, const te_row_job *job) {
    const te_patch_params *p = params;
    patch a = {p, job, job->scratch};
    te_chain_begin(&p->chain, a.scratch);
    for (uint32_t x = 0; x < p->columns; x++) {
        gather(&a, x);
        te_chain_run(&p->chain, (const int8_t *)(a.scratch + p->first), (int8_t *)(a.scratch + p->out),
                     a.scratch, 1, made, &a);
    }
}
