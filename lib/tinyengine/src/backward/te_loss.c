/* Softmax cross-entropy in IEEE single precision: host/tinyengine/reference/backward/loss.py,
 * operation by operation. */
#include "tinyengine/te_backward_float.h"

#include "../support/te_block_float.h"
#include "../support/te_exp.h"
#include "../support/te_update.h"

/* mantissa = floor(x * 2^-exponent + 1/2), by the bits of x. */
static int32_t mantissa_of(float x, int32_t exponent) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t biased = (int32_t)(bits >> 23 & 0xff);
    const int32_t digits = (int32_t)(bits & 0x7fffffu) | (biased ? 0x800000 : 0);
    const int32_t value = bits >> 31 ? -digits : digits;
    const int32_t shift = exponent - ((biased ? biased : 1) - 150); /* x = value * 2^(that) */
    if (shift <= 0) return (int32_t)((uint32_t)value << -shift);
    return te_shift_round(value, shift > 31 ? 31 : shift);
}

/* The exponent with which the largest |value| has 15 bits. */
static int32_t exponent_of(float largest) {
    uint32_t bits;
    memcpy(&bits, &largest, sizeof bits);
    const int32_t biased = (int32_t)(bits >> 23 & 0xff);
    if (biased) return biased - 126 - TE_MANTISSA_BITS;
    return (int32_t)(32 - __builtin_clz(bits)) - 149 - TE_MANTISSA_BITS;
}

static void emit(float *g, uint32_t classes, uint32_t all, int16_t *y) {
    float largest = 0.0f;
    for (uint32_t k = 0; k < classes; k++) {
        const float size = g[k] < 0.0f ? -g[k] : g[k];
        if (size > largest) largest = size;
    }
    int8_t *exponent = te_exponents(y, 1, all);
    te_zero_pixel(y, all);
    *exponent = TE_ZERO_EXPONENT;
    if (largest == 0.0f) return;
    const int32_t e = exponent_of(largest);
    for (uint32_t k = 0; k < classes; k++) y[k] = (int16_t)te_clamp(mantissa_of(g[k], e), -32768, 32767);
    *exponent = te_limit_pixel(y, all, e);
}

/* Logits to `g`; returns the number of the largest. */
static uint32_t logits(const te_loss_params *p, const int8_t *x, uint32_t classes, float *g) {
    uint32_t largest = 0;
    for (uint32_t k = 0; k < classes; k++) {
        const int8_t *w = p->weights + k * p->in;
        int32_t sum = p->bias[k];
        for (uint32_t i = 0; i < p->in; i++) sum += w[i] * (x[i] - p->in_zero);
        g[k] = (float)sum * p->scale[k];
        if (g[k] > g[largest]) largest = k;
    }
    return largest;
}

/* Loss and prediction; g: the exponentials, whose sum is returned. */
static float judge(const te_loss_params *p, const int8_t *x, float *g, te_train_context *context) {
    const uint32_t classes = context->sample.classes;
    const uint32_t predicted = logits(p, x, classes, g);
    const float largest = g[predicted], own = g[context->sample.label] - largest;
    float total = 0.0f;
    for (uint32_t k = 0; k < classes; k++) {
        g[k] = te_exp_negative(g[k] - largest);
        total = total + g[k];
    }
    context->result.predicted = (uint16_t)predicted;
    context->result.loss = te_log_positive(total) - own;
    return total;
}

/* Exponentials to the gradient of the logits, in place. */
static void differentiate(const te_loss_params *p, float *g, float total, const te_train_sample *sample) {
    for (uint32_t k = 0; k < sample->classes; k++)
        g[k] = (g[k] / total - (k == sample->label ? 1.0f : 0.0f)) * p->out_scale;
}

void te_loss(const te_loss_params *p, const int8_t *x, int16_t *y, void *scratch, te_train_context *context) {
    float *g = scratch;
    const float total = judge(p, x, g, context);
    if (!y) return;
    differentiate(p, g, total, &context->sample);
    emit(g, context->sample.classes, p->classes, y);
}

void te_loss_float(const te_loss_params *p, const int8_t *x, float *y, void *scratch,
                   te_train_context *context) {
    float *g = scratch;
    const float total = judge(p, x, g, context);
    if (!y) return;
    differentiate(p, g, total, &context->sample);
    for (uint32_t k = 0; k < p->classes; k++) y[k] = k < context->sample.classes ? g[k] : 0.0f;
}

/* What the kernels of a training step are told besides their tensors. */
te_train_context te_train_begin(const te_train_sample *sample, const te_train_update *update,
                                float *velocity) {
    te_train_context context = {*sample, update->rate, 0, velocity, 1.0f, 1, {0, 0}, 0};
    context.key = te_mix(update->seed + update->step * TE_GOLDEN);
    if (velocity) {
        context.rate = update->rate / (float)update->batch;
        context.keep = update->sample == 0 ? update->momentum : 1.0f; /* x * 1 is x, bit for bit */
        context.last = update->sample + 1u == update->batch;
    }
    return context;
}
