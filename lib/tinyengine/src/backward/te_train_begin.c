/* What the kernels of a training step are told besides their tensors. */
#include "tinyengine/te_backward.h"

#include "../support/te_update.h"

te_train_context te_train_begin(const te_train_sample *sample, const te_train_update *update,
                                float *velocity) {
    te_train_context context = {*sample, update->rate, 0, velocity, 1.0f, 1, {0, 0}};
    context.key = te_mix(update->seed + update->step * TE_GOLDEN);
    if (velocity) {
        context.rate = update->rate / (float)update->batch;
        context.keep = update->sample == 0 ? update->momentum : 1.0f; /* x * 1 is x, bit for bit */
        context.last = update->sample + 1u == update->batch;
    }
    return context;
}
