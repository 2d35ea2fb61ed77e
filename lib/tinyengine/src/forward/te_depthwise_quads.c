/* Goes through a picture by bands of rows and four channels; the inner loops are in
 * te_depthwise_quads_{dsp.S,ref.c}. */
#include "tinyengine/te_depthwise_quads.h"

#include "../support/te_clamp_s8.h"

#define STEP (TE_DEPTHWISE_STEP / 4)
#define CHANNEL (TE_DEPTHWISE_CHANNEL / 4)

typedef te_depthwise_quads_params params;

/* Row `from` and those behind it, `rows` of them, become the first ones. */
static void move_up(uint32_t *staged, uint32_t words, uint32_t from, uint32_t rows) {
    for (const uint32_t *end = staged + words * STEP; staged != end; staged += STEP)
        for (uint32_t c = 0; c < STEP; c += CHANNEL) {
            staged[c] = staged[c + from];
            if (rows > 1) staged[c + 1] = staged[c + from + 1];
        }
}

static void fill(uint32_t *row, uint32_t words, uint32_t padding) {
    for (const uint32_t *end = row + words * STEP; row != end; row += STEP)
        for (uint32_t c = 0; c < STEP; c += CHANNEL) row[c] = padding;
}

/* Rows first .. end - 1 of the picture, of which some may lie outside, to `to` and behind it. */
static void stage(const params *p, te_depthwise_stage_args *args, const int8_t *x, int32_t first, int32_t end,
                  uint32_t *to) {
    const uint32_t words = args->words + args->lead + 1;
    for (; first < end && first < 0; first++) fill(to++, words, args->padding);
    const int32_t inside = end < p->in.h ? end : p->in.h;
    if (first < inside) {
        args->x = x + first * (int32_t)args->line;
        args->to = to;
        args->rows = (uint32_t)(inside - first);
        te_depthwise_stage(args);
        to += args->rows;
        first = inside;
    }
    for (; first < end; first++) fill(to++, words, args->padding);
}

/* Four channels. */
static void run(const params *p, const int8_t *x, int8_t *y, const uint32_t *constants, uint32_t *staged) {
    const int32_t stride = p->stride, band = stride == 1 ? TE_DEPTHWISE_BAND : TE_DEPTHWISE_BAND_BY_2;
    const uint32_t lead = p->pad_left, pixels = p->in.w - lead, zero = (uint32_t)p->in_zero & 0xffffu;
    te_depthwise_stage_args in = {
        0, p->in.c, (uint32_t)p->in.w * p->in.c, 0, 0, lead, pixels / 2, pixels & 1, zero | zero << 16};
    te_depthwise_quad_args out = {
        staged,        constants,     y,          p->in.c, (uint32_t)p->out.w * p->in.c, 0,
        p->out.w / 6u, p->out.w % 6u, p->out_zero};
    int32_t next = -p->pad_top, kept = 0; /* row of the picture that is staged next; rows that are */
    for (int32_t row = 0; row < p->out.h; row += band) {
        const int32_t rows = p->out.h - row < band ? p->out.h - row : band;
        const int32_t end = (row + rows - 1) * stride - p->pad_top + 3;
        if (row) {
            kept = 3 - stride;
            move_up(staged, in.words + lead + 1, (uint32_t)(band * stride), (uint32_t)kept);
        }
        stage(p, &in, x, next, end, staged + kept);
        next = end;
        out.rows = (uint32_t)rows;
        p->run(&out);
        out.y += rows * (int32_t)out.line;
    }
}

void te_depthwise_quads_s8(const params *p, const int8_t *x, int8_t *y, void *scratch) {
    const uint32_t channels = p->in.c;
    for (uint32_t c = 0; c < channels; c += 4) run(p, x + c, y + c, p->constants + c * p->words, scratch);
    te_clamp_s8(y, (uint32_t)p->out.h * p->out.w * channels, p->min, p->max);
}
