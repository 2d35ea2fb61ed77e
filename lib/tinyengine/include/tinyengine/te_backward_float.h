/* The backward pass in IEEE single precision, for comparison with that in integers (te_backward.h): portable
 * loops that follow the formulas of host/tinyengine/reference/backward/real.py, for any shape.
 *
 * GRADIENT of an activation: float [pixel][channel], aligned to 4. Masks, saved inputs, trained constants and
 * the order of a function's inputs are those of te_backward.h. Every sum has one order, and nothing is fused
 * (-ffp-contract=off), so all cores and compilers give the same bytes.
 */
#ifndef TE_BACKWARD_FLOAT_H
#define TE_BACKWARD_FLOAT_H

#include "tinyengine/te_backward.h"

TE_BEGIN_C

/* te_loss with such a gradient. */
void te_loss_float(const te_loss_params *p, const int8_t *x, float *y, void *scratch,
                   te_train_context *context);

/* ---- layers with weights ------------------------------------------------------------------------------- */

struct te_layer_gradient_float_params;

/* g: gradient of the sums. The gradient of the input is added to y. */
typedef void te_input_gradient_float_fn(const struct te_layer_gradient_float_params *p, const float *g,
                                        float *y);
/* The gradient of the trained weights, each of which is updated as soon as its gradient is known. */
typedef void te_weight_gradient_float_fn(const struct te_layer_gradient_float_params *p, const float *g,
                                         const int8_t *saved, const te_train_context *context);

te_input_gradient_float_fn te_conv_input_gradient_float, te_depthwise_input_gradient_float;
te_weight_gradient_float_fn te_conv_weight_gradient_float, te_depthwise_weight_gradient_float;

typedef struct te_layer_gradient_float_params {
    te_hwc in, out; /* fully connected: the kernel covers the whole input */
    te_window window;
    uint16_t multiplier; /* depthwise: output channels per input channel */
    int16_t in_zero;
    const float *factor;   /* [out.c]: effective scale; 0 for dead channels */
    const int8_t *weights; /* as in the network; where trained, `trained` holds the weights */
    const te_trained_bias *bias;
    const te_trained_weights *trained;
    te_input_gradient_float_fn *input_gradient;   /* NULL: not wanted */
    te_weight_gradient_float_fn *weight_gradient; /* NULL: not wanted */
    uint8_t masked, saved, joins;                 /* which inputs there are besides the gradient */
} te_layer_gradient_float_params;

/* As te_layer_gradient; needs no scratch memory. */
void te_layer_gradient_float(const te_layer_gradient_float_params *p, const void *const *inputs, float *y,
                             te_train_context *context);

/* ---- other operators ----------------------------------------------------------------------------------- */

typedef struct te_residual_gradient_float_params {
    uint32_t count; /* elements */
    float factor;
    uint8_t masked, saved, joins; /* saved: always 0 */
} te_residual_gradient_float_params;

/* As te_residual_gradient: y may be the same bytes as either input. */
void te_residual_gradient_float(const te_residual_gradient_float_params *p, const void *const *inputs,
                                float *y, te_train_context *context);

typedef struct te_mean_gradient_float_params {
    te_hwc in;
    float factor;
    uint8_t masked, saved, joins; /* saved: always 0 */
} te_mean_gradient_float_params;

/* As te_mean_gradient. */
void te_mean_gradient_float(const te_mean_gradient_float_params *p, const void *const *inputs, float *y,
                            te_train_context *context);

typedef struct te_pool_gradient_float_params {
    te_hwc in, out;
    te_window window;
    const float *factor;          /* [out.h][out.w]: 1 / pixels under the window */
    uint8_t masked, saved, joins; /* masked, saved: always 0 */
} te_pool_gradient_float_params;

/* As te_pool_gradient. */
void te_pool_gradient_float(const te_pool_gradient_float_params *p, const void *const *inputs, float *y,
                            te_train_context *context);

TE_END_C

#endif
