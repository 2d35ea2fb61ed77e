/* Layers with weights, backwards, in single precision. */
#include "../support/te_float_gradient.h"
#include "../support/te_update.h"

typedef te_layer_gradient_float_params params;

/* Gradient of the output -> gradient of the sums, in place. */
static void scale(const params *p, float *g, const uint8_t *mask) {
    const uint32_t channels = p->out.c, count = (uint32_t)p->out.h * p->out.w * channels;
    for (uint32_t i = 0; i < count; i++) g[i] = te_masked(g[i], mask, i) * p->factor[i % channels];
}

static void update_bias(const params *p, const float *g, const te_train_context *context) {
    const uint32_t channels = p->out.c, pixels = (uint32_t)p->out.h * p->out.w;
    for (uint32_t c = 0; c < channels; c++) {
        float total = 0.0f;
        for (uint32_t i = 0; i < pixels; i++) total += g[i * channels + c];
        te_update_one_bias(p->bias, c, total, context->rate, context);
    }
}

void te_layer_gradient_float(const params *p, const void *const *inputs, float *y,
                             te_train_context *context) {
    float *g = (float *)(uintptr_t)*inputs++;
    const uint8_t *mask = p->masked ? *inputs++ : 0;
    const int8_t *saved = p->saved ? *inputs++ : 0;
    const float *known = p->joins ? *inputs++ : 0;
    scale(p, g, mask);
    if (p->bias) update_bias(p, g, context);
    if (p->input_gradient) {
        te_begin_sums(known, y, (uint32_t)p->in.h * p->in.w * p->in.c);
        p->input_gradient(p, g, y);
    }
    if (p->weight_gradient) p->weight_gradient(p, g, saved, context);
}

/* ---- gradient of the input ---- */

/* The weights of one tap, of which those of trained channels lie elsewhere. */
typedef struct row {
    const int8_t *weights, *trained;
    const te_trained_weights *t; /* or NULL */
    uint32_t j;                  /* the next trained channel */
} row;

/* Weight i of the row; to be asked for in order. */
static float next_weight(row *r, uint32_t i) {
    if (r->t && r->j < r->t->count && r->t->channels[r->j] == i) return r->trained[r->j++];
    return r->weights[i];
}

/* Row `n` of `width` weights. */
static row row_of(const params *p, uint32_t n, uint32_t width) {
    const te_trained_weights *t = p->trained;
    return (row){p->weights + n * width, t ? t->values + n * t->count : 0, t, 0};
}

void te_conv_input_gradient_float(const params *p, const float *g, float *y) {
    const te_window *k = &p->window;
    const uint32_t channels = p->in.c, taps = (uint32_t)k->kh * k->kw;
    for (int32_t oy = 0; oy < p->out.h; oy++)
        for (int32_t ox = 0; ox < p->out.w; ox++, g += p->out.c)
            for (uint32_t tap = 0; tap < taps; tap++) {
                const int32_t pixel =
                    te_pixel_read(&p->in, k, oy, ox, (int32_t)(tap / k->kw), (int32_t)(tap % k->kw));
                if (pixel < 0) continue;
                float *to = y + (uint32_t)pixel * channels;
                for (uint32_t o = 0; o < p->out.c; o++) {
                    row r = row_of(p, o * taps + tap, channels);
                    for (uint32_t i = 0; i < channels; i++) to[i] += g[o] * next_weight(&r, i);
                }
            }
}

void te_depthwise_input_gradient_float(const params *p, const float *g, float *y) {
    const te_window *k = &p->window;
    const uint32_t taps = (uint32_t)k->kh * k->kw;
    for (int32_t oy = 0; oy < p->out.h; oy++)
        for (int32_t ox = 0; ox < p->out.w; ox++, g += p->out.c)
            for (uint32_t tap = 0; tap < taps; tap++) {
                const int32_t pixel =
                    te_pixel_read(&p->in, k, oy, ox, (int32_t)(tap / k->kw), (int32_t)(tap % k->kw));
                if (pixel < 0) continue;
                float *to = y + (uint32_t)pixel * p->in.c;
                row r = row_of(p, tap, p->out.c);
                for (uint32_t o = 0; o < p->out.c; o++) to[o / p->multiplier] += g[o] * next_weight(&r, o);
            }
}

/* ---- gradient of the weights ---- */

/* Sum over the output pixels of gradient times (input - zero point) under one tap; g: of one channel. */
static float correlate(const params *p, const float *g, const int8_t *x, uint32_t tap) {
    const te_window *k = &p->window;
    float total = 0.0f;
    for (int32_t oy = 0; oy < p->out.h; oy++)
        for (int32_t ox = 0; ox < p->out.w; ox++, g += p->out.c) {
            const int32_t pixel =
                te_pixel_read(&p->in, k, oy, ox, (int32_t)(tap / k->kw), (int32_t)(tap % k->kw));
            if (pixel >= 0) total += *g * (float)(x[pixel] - p->in_zero);
        }
    return total;
}

/* Saved channel j. */
static const int8_t *plane(const params *p, const int8_t *saved, uint32_t j) {
    return saved + j * (((uint32_t)p->in.h * p->in.w + 3) & ~3u);
}

void te_conv_weight_gradient_float(const params *p, const float *g, const int8_t *saved,
                                   const te_train_context *context) {
    const te_trained_weights *t = p->trained;
    const uint32_t taps = (uint32_t)p->window.kh * p->window.kw;
    uint32_t n = 0;
    for (uint32_t o = 0; o < p->out.c; o++)
        for (uint32_t tap = 0; tap < taps; tap++)
            for (uint32_t j = 0; j < t->count; j++, n++)
                te_update_one(t, n, correlate(p, g + o, plane(p, saved, j), tap),
                              context->rate * t->scaling[o], context);
}

void te_depthwise_weight_gradient_float(const params *p, const float *g, const int8_t *saved,
                                        const te_train_context *context) {
    const te_trained_weights *t = p->trained;
    const uint32_t taps = (uint32_t)p->window.kh * p->window.kw;
    uint32_t n = 0;
    for (uint32_t tap = 0; tap < taps; tap++)
        for (uint32_t j = 0; j < t->count; j++, n++) {
            const uint32_t o = t->channels[j];
            te_update_one(t, n, correlate(p, g + o, plane(p, saved, j), tap), context->rate * t->scaling[o],
                          context);
        }
}
