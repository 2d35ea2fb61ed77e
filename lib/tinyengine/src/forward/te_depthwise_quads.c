/* Goes through a picture by bands of rows and four channels; the inner loops are in
 * te_depthwise_quads_{dsp.S,ref.c}. */
#include "tinyengine/te_depthwise_quads.h"

#include "../support/te_clamp_s8.h"

#define STEP (TE_DEPTHWISE_STEP / 4)
#define CHANNEL (TE_DEPTHWISE_CHANNEL / 4)
#define PAIRS CHANNEL /* of rows, in a band */

typedef te_depthwise_quads_params params;

/* A column of padding. */
static void fill(uint32_t *column, uint32_t padding) {
    for (uint32_t i = 0; i < STEP; i++) column[i] = padding;
}

/* The last pair of rows becomes the first one. */
static void move_up(uint32_t *staged, uint32_t columns) {
    for (const uint32_t *end = staged + columns * STEP; staged != end; staged += STEP)
        for (uint32_t c = 0; c < STEP; c += CHANNEL) staged[c] = staged[c + PAIRS - 1];
}

void te_depthwise_quads_s8(const params *p, const int8_t *x, int8_t *y, void *scratch) {
    const int32_t stride = p->stride, band = stride == 1 ? TE_DEPTHWISE_BAND : TE_DEPTHWISE_BAND_BY_2;
    const uint32_t channels = p->in.c, block = stride == 1 ? TE_DEPTHWISE_BLOCK : TE_DEPTHWISE_BLOCK_BY_2;
    const uint32_t columns = ((uint32_t)p->out.w - 1) * (uint32_t)stride + 3, lead = p->pad_left;
    const uint32_t inside = p->in.w < columns - lead ? p->in.w : columns - lead;
    const uint32_t zero = (uint32_t)p->in_zero;
    uint32_t *const staged = scratch, *const first = staged + lead * STEP;
    te_depthwise_stage_args in = {x,
                                  0,
                                  p->in.h,
                                  channels,
                                  (uint32_t)p->in.w * channels,
                                  first,
                                  0,
                                  inside,
                                  (zero & 0xffu) * 0x01010101u};
    te_depthwise_quad_args out = {
        staged,           p->constants,     y,          channels, (uint32_t)p->out.w * channels, 0,
        p->out.w / block, p->out.w % block, p->out_zero};
    if (lead) fill(staged, (zero & 0xffffu) * 0x00010001u);
    if (lead + inside < columns) fill(first + inside * STEP, (zero & 0xffffu) * 0x00010001u);
    for (uint32_t c = 0; c < channels; c += 4, in.x += 4, out.constants += 4u * p->words) {
        out.y = y + c;
        in.row = -p->pad_top;
        in.to = first;
        for (int32_t row = 0; row < p->out.h; row += band, out.y += band * (int32_t)out.line) {
            const int32_t rows = p->out.h - row < band ? p->out.h - row : band;
            if (row) {
                move_up(first, inside);
                in.to = first + 1;
            }
            in.pairs = (uint32_t)((row + rows - 1) * stride - p->pad_top + 3 - in.row + 1) / 2;
            te_depthwise_stage(&in);
            in.row += 2 * (int32_t)in.pairs;
            out.rows = (uint32_t)rows;
            p->run(&out);
        }
    }
    te_clamp_s8(y, (uint32_t)p->out.h * p->out.w * channels, p->min, p->max);
}
