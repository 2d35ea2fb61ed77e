/* Which operator of a chain runs next. */
#include "../support/te_chain_run.h"

#include <string.h>

/* Rows of picture `i` that the operators reading it may count on. */
static uint32_t existing(const te_chain *c, const uint16_t *counts, uint32_t i) {
    if (!i || !c->ops[i - 1].accumulates) return counts[i];
    return counts[i] == c->ops[i - 1].out_h;
}

/* Rows of the operator's next batch; 0: nothing left to do, or its input has not come so far. */
static uint32_t next_batch(const te_chain *c, const uint16_t *counts, const te_row_op *op) {
    const uint32_t done = counts[op->y];
    uint32_t batch = done ? op->rows : op->first;
    if (batch > op->out_h - done) batch = op->out_h - done;
    if (!batch) return 0;
    const int32_t last = (int32_t)((done + batch - 1) * op->stride + op->reach) - op->pad_top;
    const int32_t needed = last < op->in_h ? last : op->in_h;
    return needed <= (int32_t)existing(c, counts, op->x) ? batch : 0;
}

static te_row_view view_of(const te_chain *c, uint32_t i, const int8_t *x, int8_t *y, uint8_t *scratch) {
    te_row_view v = {0, 0, 1};
    if (i == TE_NO_ROWS) return v;
    const te_rows *rows = &c->rows[i];
    v.row_bytes = rows->row_bytes;
    v.capacity = rows->capacity;
    /* Operators write x only where the compiler lets them. */
    v.data = i == 0 ? (int8_t *)(uintptr_t)x : i + 1u == c->n_rows ? y : (int8_t *)(scratch + rows->offset);
    return v;
}

static void run(const te_chain *c, const te_row_op *op, const int8_t *x, int8_t *y, uint8_t *scratch,
                uint32_t row, uint32_t count) {
    te_row_job job = {view_of(c, op->x, x, y, scratch),
                      view_of(c, op->skip, x, y, scratch),
                      view_of(c, op->y, x, y, scratch),
                      row,
                      count,
                      scratch + op->scratch};
    if (op->skip != TE_NO_ROWS) job.skip.data += op->skip_from;
    op->run(op->params, &job);
}

void te_chain_begin(const te_chain *c, void *scratch) {
    memset((uint8_t *)scratch + c->state, 0, c->n_rows * sizeof(uint16_t));
}

void te_chain_run(const te_chain *c, const int8_t *x, int8_t *y, void *scratch, uint32_t count,
                  te_chain_made_fn *made, void *context) {
    uint16_t *counts = (uint16_t *)(void *)((uint8_t *)scratch + c->state);
    counts[0] = (uint16_t)(counts[0] + count);
    for (int32_t i = 0; i >= 0;) { /* forwards after rows were made, backwards where more are missing */
        const te_row_op *op = &c->ops[i];
        const uint32_t batch = next_batch(c, counts, op);
        if (!batch) {
            i--;
            continue;
        }
        run(c, op, x, y, scratch, counts[op->y], batch);
        if (made) made(context, (uint32_t)i, counts[op->y], batch);
        counts[op->y] = (uint16_t)(counts[op->y] + batch);
        if (i + 1 < c->n_ops) i++;
    }
}

void te_chain_push(const te_chain *c, const int8_t *x, int8_t *y, void *scratch, uint32_t count) {
    te_chain_run(c, x, y, scratch, count, 0, 0);
}

void te_chain_s8(const te_chain *c, const int8_t *x, int8_t *y, void *scratch) {
    te_chain_begin(c, scratch);
    te_chain_push(c, x, y, scratch, c->ops[0].in_h);
}
