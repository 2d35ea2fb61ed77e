#include "tinyengine/te_answer.h"

#include "../support/te_exp.h"

static uint32_t bytes_of(const te_port *output) {
    switch (output->dtype) {
    case TE_INT8:
    case TE_UINT8:
        return 1;
    case TE_INT16:
        return 2;
    default:
        return 0;
    }
}

static uint32_t count(const te_port *output) {
    const uint32_t bytes = bytes_of(output);
    return bytes ? output->bytes / bytes : 0;
}

static int32_t value(const te_port *output, uint32_t index) {
    switch (output->dtype) {
    case TE_INT8:
        return ((const int8_t *)output->data)[index];
    case TE_UINT8:
        return ((const uint8_t *)output->data)[index];
    default:
        return ((const int16_t *)output->data)[index];
    }
}

static float real(const te_port *output, int32_t q) {
    return output->scale * (float)(q - output->zero_point);
}

/* Whether no value could lie outside 0 to 1. */
static int holds_probabilities(const te_port *output) {
    const int32_t lowest = output->dtype == TE_UINT8 ? 0 : output->dtype == TE_INT8 ? -128 : -32768;
    const int32_t steps = output->dtype == TE_INT16 ? 65535 : 255;
    return real(output, lowest) >= -1e-6f && real(output, lowest + steps) <= 1.0f + output->scale;
}

static int32_t largest(const te_port *output) {
    int32_t most = value(output, 0);
    for (uint32_t i = 1; i < count(output); i++)
        if (value(output, i) > most) most = value(output, i);
    return most;
}

/* What an exponential has to be divided by. */
static float sum(const te_port *output, int32_t most) {
    float total = 0.0f;
    for (uint32_t i = 0; i < count(output); i++)
        total += te_exp_negative(output->scale * (float)(value(output, i) - most));
    return total;
}

/* Of the second of two classes. */
static float single(const te_port *output) {
    const float x = real(output, value(output, 0));
    if (holds_probabilities(output)) return x;
    const float power = te_exp_negative(x < 0 ? x : -x);
    return (x < 0 ? power : 1.0f) / (1.0f + power);
}

uint32_t te_classes(const te_port *output) {
    return count(output) == 1 ? 2 : count(output);
}

void te_probabilities(const te_port *output, float *probabilities) {
    const uint32_t values = count(output);
    if (values == 0) return;
    if (values == 1) {
        probabilities[1] = single(output);
        probabilities[0] = 1.0f - probabilities[1];
        return;
    }
    const int direct = holds_probabilities(output);
    const int32_t most = largest(output);
    const float total = direct ? 1.0f : sum(output, most);
    for (uint32_t i = 0; i < values; i++)
        probabilities[i] = direct ? real(output, value(output, i))
                                  : te_exp_negative(output->scale * (float)(value(output, i) - most)) / total;
}

int32_t te_answer(const te_port *output, float threshold, float *probability) {
    const uint32_t values = count(output);
    float chance = 0.0f;
    uint32_t index = 0;
    if (values == 1) {
        chance = single(output);
        index = chance > 0.5f;
        if (!index) chance = 1.0f - chance;
    } else if (values) {
        const int32_t most = largest(output);
        while (value(output, index) != most) index++;
        chance = holds_probabilities(output) ? real(output, most) : 1.0f / sum(output, most);
    }
    if (probability) *probability = chance;
    return values && chance >= threshold ? (int32_t)index : -1;
}
