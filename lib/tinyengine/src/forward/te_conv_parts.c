/* Convolutions whose outputs lie apart. */
#include "tinyengine/te_conv_parts.h"

#include "../support/te_clamp_s8.h"
#include "../support/te_conv_fast_run.h"

/* A part whose pixels before `pixel` have been computed; y is its first output. */
typedef struct progress {
    const te_conv_part *part;
    int8_t *y;
    uint32_t pixel;
} progress;

static int32_t offset_of(const te_conv_part *part, uint32_t pixel) {
    const uint32_t row = pixel / part->conv.out.w;
    return (int32_t)(row * part->row + (pixel - row * part->conv.out.w) * part->pixel);
}

/* Says behind each pair's columns where its outputs go: in bytes from those of the last whole pair, or if
 * there is none, of one that would lie a pair of pixels before (te_conv_fast.h). */
static void aim_apart(const te_conv_part *part, const te_conv_tiles_args *args, uint32_t pixel,
                      int32_t last) {
    const uint32_t row = pixel / part->conv.out.w, step = 4 * args->groups + 2;
    uint32_t *word = (uint32_t *)(uintptr_t)args->columns + 4 * args->groups; /* scratch memory */
    uint32_t left = (row + 1) * part->conv.out.w - pixel;                     /* in this row */
    int32_t to = offset_of(part, pixel) - last,
            line = to - (int32_t)((part->conv.out.w - left) * part->pixel);
    for (uint32_t i = 0; i < 2 * args->pairs + args->odd; i++) {
        word[i & 1] = (uint32_t)to;
        if (i & 1) word += step;
        to += (int32_t)part->pixel;
        if (--left) continue;
        left = part->conv.out.w;
        to = line += (int32_t)part->row;
    }
    if (args->odd) word[1] = word[0];
}

/* As te_conv_block_fn. */
static void run_apart(const te_conv_fast_params *p, const te_conv_tiles_args *args, void *context) {
    progress *at = context;
    const int32_t pair = 2 * (int32_t)args->channels, pairs = (int32_t)args->pairs;
    const int32_t last =
        pairs ? offset_of(at->part, at->pixel + 2 * args->pairs - 2) : offset_of(at->part, at->pixel) - pair;
    te_conv_tiles_args apart = *args;
    aim_apart(at->part, args, at->pixel, last);
    apart.out = at->y + (last - (pairs - 1) * pair);
    at->pixel += 2 * args->pairs + args->odd;
    p->tiles(&apart);
}

void te_conv_parts_s8(const te_conv_parts_params *p, const int8_t *x, int8_t *y, void *scratch) {
    for (uint32_t i = 0; i < p->count; i++) {
        const te_conv_part *part = &p->parts[i];
        const te_conv_fast_params *conv = &part->conv;
        const te_row_view whole = {(int8_t *)(uintptr_t)(x + part->in), (uint32_t)conv->in.w * conv->in.c,
                                   conv->in.h}; /* only read */
        progress at = {part, y + part->out, 0};
        te_conv_fast_run_blocks(conv, &whole, y, scratch, run_apart, &at);
    }
    te_clamp_s8(y, p->bytes, p->min, p->max);
}
