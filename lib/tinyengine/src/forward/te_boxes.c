#include "tinyengine/te_boxes.h"

#include <stdbool.h>
#include <string.h>

#define NO_CELL 0xffffu

/* The best `capacity` of all that are put in, best first; equal ones in the order they come in. */
typedef struct ranking {
    te_box *boxes;
    uint32_t count, capacity;
} ranking;

static void put(ranking *r, const te_box *box) {
    uint32_t place = r->count;
    while (place > 0 && r->boxes[place - 1].score < box->score) place--;
    if (place == r->capacity) return;
    if (r->count < r->capacity) r->count++;
    memmove(&r->boxes[place + 1], &r->boxes[place], (r->count - 1 - place) * sizeof *box);
    r->boxes[place] = *box;
}

static uint16_t clamp_share(int64_t x) {
    return (uint16_t)(x < 0 ? 0 : x > (int64_t)TE_BOX_ONE ? (int64_t)TE_BOX_ONE : x);
}

/* `bits`: 16, or 17 for a half. */
static int64_t scaled(const te_box_head *h, uint32_t level, int32_t factor, uint32_t bits) {
    return (((int64_t)level - h->zero) * factor + (1 << (bits - 1))) >> bits;
}

static uint32_t score_of(const te_box_head *h, uint32_t level) {
    return clamp_share(scaled(h, level, h->score_factor, 16));
}

static uint32_t product(uint32_t a, uint32_t b) {
    return (a * b + TE_BOX_ONE / 2) >> 15;
}

static void set_edges(te_box *box, int64_t x, int64_t y, int64_t half_x, int64_t half_y) {
    box->left = clamp_share(x - half_x);
    box->top = clamp_share(y - half_y);
    box->right = clamp_share(x + half_x);
    box->bottom = clamp_share(y + half_y);
}

/* Where row or column `number` of so many begins. */
static uint32_t edge(uint32_t number, uint32_t of) {
    return (number * TE_BOX_ONE + of / 2) / of;
}

/* The first of the largest of `count` values, `step` apart. */
static uint32_t largest(const te_box_head *h, const uint8_t *values, uint32_t count, uint32_t step) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++) {
        if ((values[i * step] ^ h->flip) > (values[best * step] ^ h->flip)) best = i;
    }
    return best;
}

static uint32_t area(const te_box *a) {
    return (uint32_t)(a->right - a->left) * (uint32_t)(a->bottom - a->top);
}

static bool over(const te_box_head *h, const te_box *a, const te_box *b) {
    const int32_t wide =
        (a->right < b->right ? a->right : b->right) - (a->left > b->left ? a->left : b->left);
    const int32_t high =
        (a->bottom < b->bottom ? a->bottom : b->bottom) - (a->top > b->top ? a->top : b->top);
    if (wide <= 0 || high <= 0) return false;
    const uint32_t both = (uint32_t)wide * (uint32_t)high;
    return (uint64_t)both * TE_BOX_ONE > (uint64_t)h->overlap * (area(a) + area(b) - both);
}

/* What is kept of the ranked ones moves to their beginning. */
static uint32_t suppress(const te_box_head *h, const ranking *r) {
    te_box *boxes = r->boxes;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->count && kept < h->most; i++) {
        bool apart = true;
        for (uint32_t k = 0; k < kept && apart; k++) {
            apart = boxes[k].index != boxes[i].index || !over(h, &boxes[k], &boxes[i]);
        }
        if (apart) boxes[kept++] = boxes[i];
    }
    return kept;
}

static void find_points(const te_box_head *h, const uint8_t *values, ranking *r) {
    const uint32_t down = h->down, first = h->objectness ? 5 : 4;
    for (uint32_t i = 0; i < h->count; i++, values += h->across) {
        const uint32_t best = largest(h, values + first * down, h->classes, down);
        uint32_t score = score_of(h, values[(first + best) * down] ^ h->flip);
        if (h->objectness) score = product(score, score_of(h, values[4 * down] ^ h->flip));
        if (score < h->threshold) continue;
        te_box box = {.index = (uint16_t)best, .score = (uint16_t)score};
        const int64_t half_x = scaled(h, values[2 * down] ^ h->flip, h->width_factor, 17);
        const int64_t half_y = scaled(h, values[3 * down] ^ h->flip, h->height_factor, 17);
        set_edges(&box, scaled(h, values[0] ^ h->flip, h->width_factor, 16),
                  scaled(h, values[down] ^ h->flip, h->height_factor, 16), half_x > 0 ? half_x : 0,
                  half_y > 0 ? half_y : 0);
        put(r, &box);
    }
}

static int64_t grown(uint32_t exponential, uint32_t anchor) {
    return (int64_t)(((uint64_t)exponential * anchor + (1u << 27)) >> 28);
}

static void find_grid(const te_box_head *h, const uint8_t *values, ranking *r) {
    for (uint32_t place = 0; place < (uint32_t)h->rows * h->columns; place++) {
        for (uint32_t anchor = 0; anchor < h->anchors; anchor++, values += h->across) {
            uint32_t score = h->logistic[values[4] ^ h->flip];
            if (score < h->threshold) continue; /* classes only make it less */
            te_box box = {0};
            if (h->classes) {
                const uint32_t best = largest(h, values + 5, h->classes, 1);
                const uint32_t top = values[5 + best] ^ h->flip;
                uint32_t total = 0;
                for (uint32_t c = 0; c < h->classes; c++) total += h->power[top - (values[5 + c] ^ h->flip)];
                score = product(score, (TE_BOX_ONE * TE_BOX_ONE + total / 2) / total);
                if (score < h->threshold) continue;
                box.index = (uint16_t)best;
            }
            box.score = (uint16_t)score;
            const uint32_t *size = h->anchor + 2 * anchor;
            const int32_t x = (int32_t)edge(place % h->columns, h->columns) + h->place_x[values[0] ^ h->flip];
            const int32_t y = (int32_t)edge(place / h->columns, h->rows) + h->place_y[values[1] ^ h->flip];
            set_edges(&box, x, y, grown(h->exponential[values[2] ^ h->flip], size[0]),
                      grown(h->exponential[values[3] ^ h->flip], size[1]));
            put(r, &box);
        }
    }
}

/* ---- Heat maps: cells[i] is a cell of the same patch, of a smaller number; of the first one its own ---- */

static uint32_t first_cell(uint16_t *cells, uint32_t i) {
    while (cells[i] != i) {
        cells[i] = cells[cells[i]];
        i = cells[i];
    }
    return i;
}

static void join(uint16_t *cells, uint32_t i, uint32_t k) {
    const uint32_t a = first_cell(cells, i), b = first_cell(cells, k);
    if (a < b) {
        cells[b] = (uint16_t)a;
    } else {
        cells[a] = (uint16_t)b;
    }
}

static uint32_t class_at(const te_box_head *h, const uint8_t *values, uint32_t cell) {
    return largest(h, values + cell * h->across, h->classes, 1);
}

static uint32_t score_at(const te_box_head *h, const uint8_t *values, uint32_t cell, uint32_t index) {
    return score_of(h, values[cell * h->across + index] ^ h->flip);
}

static void mark(const te_box_head *h, const uint8_t *values, uint16_t *cells) {
    const uint32_t columns = h->columns;
    for (uint32_t i = 0; i < h->count; i++) {
        const uint32_t index = class_at(h, values, i), column = i % columns;
        cells[i] = (uint16_t)(index > 0 && score_at(h, values, i, index) >= h->threshold ? i : NO_CELL);
        if (cells[i] == NO_CELL) continue;
        const struct {
            bool there;
            uint32_t cell;
        } near[4] = {{column > 0, i - 1},
                     {i >= columns && column > 0, i - columns - 1},
                     {i >= columns, i - columns},
                     {i >= columns && column + 1 < columns, i - columns + 1}};
        for (uint32_t k = 0; k < 4; k++) {
            if (near[k].there && cells[near[k].cell] != NO_CELL && class_at(h, values, near[k].cell) == index)
                join(cells, i, near[k].cell);
        }
    }
}

static void measure(const te_box_head *h, const uint8_t *values, uint16_t *cells, uint32_t first,
                    uint32_t index, te_box *box) {
    uint32_t left = h->columns, right = 0, bottom = 0, score = 0;
    for (uint32_t i = first; i < h->count; i++) {
        if (cells[i] == NO_CELL || first_cell(cells, i) != first) continue;
        const uint32_t row = i / h->columns, column = i % h->columns, its = score_at(h, values, i, index);
        if (column < left) left = column;
        if (column > right) right = column;
        if (its > score) score = its;
        bottom = row;
    }
    *box = (te_box){
        .index = (uint16_t)(index - 1),
        .score = (uint16_t)score,
        .left = (uint16_t)edge(left, h->columns),
        .top = (uint16_t)edge(first / h->columns, h->rows),
        .right = (uint16_t)edge(right + 1, h->columns),
        .bottom = (uint16_t)edge(bottom + 1, h->rows),
    };
}

static void find_patches(const te_box_head *h, const uint8_t *values, ranking *r, uint16_t *cells) {
    mark(h, values, cells);
    for (uint32_t index = 1; index < h->classes; index++) {
        for (uint32_t i = 0; i < h->count; i++) {
            if (cells[i] != i || class_at(h, values, i) != index) continue;
            te_box box;
            measure(h, values, cells, i, index, &box);
            put(r, &box);
        }
    }
}

/* ---- SSD: decoded and suppressed already ---- */

static uint16_t share(float value) {
    if (value >= 1.0f) return (uint16_t)TE_BOX_ONE;
    return (uint16_t)(value > 0.0f ? (uint32_t)(value * (float)TE_BOX_ONE + 0.5f) : 0u);
}

static void take_listed(const te_box_head *h, const void *const *outputs, ranking *r) {
    const float *corners = outputs[0], *classes = outputs[1], *scores = outputs[2], *count = outputs[3];
    const float limit = (float)h->count;
    const uint32_t there = count[0] > 0.0f ? (uint32_t)(count[0] < limit ? count[0] : limit) : 0u;
    for (uint32_t i = 0; i < there; i++, corners += 4) {
        const te_box box = {
            .index = (uint16_t)(classes[i] > 0.0f && classes[i] < 65535.0f ? (uint32_t)classes[i] : 0u),
            .score = share(scores[i]),
            .left = share(corners[1]),
            .top = share(corners[0]),
            .right = share(corners[3]),
            .bottom = share(corners[2]),
        };
        if (box.score >= h->threshold) put(r, &box);
    }
}

uint32_t te_boxes_find(const te_box_head *h, const void *const *outputs, te_box *boxes, uint16_t *cells) {
    ranking r = {.boxes = boxes, .capacity = h->capacity};
    switch (h->kind) {
    case TE_BOXES_HEATMAP:
        find_patches(h, outputs[0], &r, cells);
        return r.count;
    case TE_BOXES_POINTS:
        find_points(h, outputs[0], &r);
        return suppress(h, &r);
    case TE_BOXES_GRID:
        find_grid(h, outputs[0], &r);
        return suppress(h, &r);
    default:
        take_listed(h, outputs, &r);
        return r.count;
    }
}
