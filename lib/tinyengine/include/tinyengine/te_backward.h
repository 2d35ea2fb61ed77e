/* The backward pass and the update of a training step, in integers (int16 block floating point).
 *
 * GRADIENT of an activation, [pixel][channel]: int16 mantissas of all pixels, then one int8 exponent per
 * pixel; value = mantissa * 2^exponent. A pixel of zeros has the exponent -128. In memory: 2 * pixels *
 * channels + pixels bytes, aligned to 4. A pointer to it points to the mantissas.
 *
 * MASK of an output: one bit per element in the order of the tensor, lowest bit first, 1 where the output
 * was not clamped, so that its gradient passes; uint8, rounded up to whole words of 32 bits.
 *
 * SAVED input of a layer whose weights are trained: [selected channel][pixel], int8. Each channel takes a
 * multiple of 4 bytes.
 *
 * The arithmetic is that of host/tinyengine/reference/backward/integer.py, byte for byte. Functions whose
 * inputs are an array take, in this order and as far as the parameters say so: the gradient of the output
 * (its bytes are used as working memory), the mask, the saved input, the gradient that other readers of the
 * same tensor have given so far (y may be the same bytes).
 */
#ifndef TE_BACKWARD_H
#define TE_BACKWARD_H

#include "tinyengine/te_train.h"

TE_BEGIN_C

/* What one training step is given, and what it finds out. */
typedef struct te_train_context {
    te_train_sample sample;
    float rate;      /* learning rate divided by the batch's size */
    uint32_t key;    /* what the random bits depend on */
    float *velocity; /* by the number of a constant in the stream of random bits; NULL: none */
    float keep;      /* what velocities are multiplied by before they gain */
    uint32_t last;   /* 1: constants change with this sample */
    te_train_result result;
    uint32_t judged; /* 1: of a segment of text only the loss is wanted */
} te_train_context;

/* The context of a step. velocity: te_trainer.velocity. */
te_train_context te_train_begin(const te_train_sample *sample, const te_train_update *update,
                                float *velocity);

/* ---- what the forward pass keeps ----------------------------------------------------------------------- */

typedef struct te_clamp_mask_params {
    uint32_t count;    /* elements */
    int16_t low, high; /* rails: an element at one of them, or beyond, stops its gradient */
} te_clamp_mask_params;

/* y: the mask of x. */
void te_clamp_mask(const te_clamp_mask_params *p, const int8_t *x, uint8_t *y);

typedef struct te_save_params {
    uint32_t pixels, channels;
    uint32_t count;           /* channels to save */
    const uint16_t *selected; /* [count] */
} te_save_params;

/* y: the selected channels of x, channel by channel. */
void te_save_channels(const te_save_params *p, const int8_t *x, int8_t *y);

/* ---- loss ---------------------------------------------------------------------------------------------- */

typedef struct te_loss_params {
    uint32_t in, classes;
    int32_t in_zero;
    const int8_t *weights; /* [classes][in] */
    const int32_t *bias;   /* [classes] */
    const float *scale;    /* [classes]: a logit by its int32 sum */
    float out_scale;       /* of the classifier's int8 output: what the gradient is taken by */
} te_loss_params;

/* Softmax cross-entropy from the classifier's sums over its input x; y: gradient of the logits (one pixel),
 * or NULL to judge only. Fills context->result. scratch: one float per class. */
void te_loss(const te_loss_params *p, const int8_t *x, int16_t *y, void *scratch, te_train_context *context);

/* ---- layers with weights ------------------------------------------------------------------------------- */

/* Trained biases: value -= round(rate * 2^e * scaling * gradient), kept within +-limit. Where scaling is 0
 * nothing changes. `first`: number of the first value in the stream of random bits. */
typedef struct te_trained_bias {
    int32_t *values;
    const float *scaling; /* per output channel */
    uint32_t first;
    int32_t limit;
} te_trained_bias;

/* Trained weights: those of `count` input channels, in the order of the whole array without the others. */
typedef struct te_trained_weights {
    int8_t *values;
    int8_t *residuals; /* further 8 bits of each, which are then rounded to nearest; or NULL */
    const uint16_t *channels;
    const float *scaling; /* per output channel */
    uint32_t first;
    uint16_t count;
} te_trained_weights;

struct te_layer_gradient_params;

/* g: gradient of the sums, int16 at one exponent. `known` (or NULL) is added, `y` is the sum. */
typedef void te_input_gradient_fn(const struct te_layer_gradient_params *p, const int16_t *g,
                                  int32_t exponent, const int16_t *known, int16_t *y, void *scratch);
/* The gradient of the trained weights, each of which is updated as soon as its gradient is known. */
typedef void te_weight_gradient_fn(const struct te_layer_gradient_params *p, const int16_t *g,
                                   int32_t exponent, const int8_t *saved, void *scratch,
                                   const te_train_context *context);

/* Scratch memory: 6 bytes per input channel, and 4 per trained one. */
te_input_gradient_fn te_conv_input_gradient, te_depthwise_input_gradient;
te_weight_gradient_fn te_conv_weight_gradient, te_depthwise_weight_gradient;

/* Pointwise convolutions with a multiple of 4 input and of 8 output channels. Scratch memory of the first, in
 * bytes: 8 per output, 4 per input channel and pixel of a block, 2 per input channel. Of the second, for
 * fewer than 258 pixels: 32 per 4 pixels. */
te_input_gradient_fn te_pointwise_input_gradient;
te_weight_gradient_fn te_pointwise_weight_gradient;

/* A 1x1 kernel over a single pixel: fully connected layers. */
te_weight_gradient_fn te_dense_weight_gradient;

/* Depthwise convolutions with multiplier 1, a multiple of 4 channels and weights in flash. y may be the same
 * bytes as g where input and output have one shape and stride 1. Scratch memory in bytes: 6 per channel, 4
 * per row of the output, 16 per tap, and in place (kh - 1) * dh - pad_top + 1 rows of g. */
te_input_gradient_fn te_depthwise_fast_input_gradient;

/* Where pointwise weights lie, 4 input channels in a word: the word of channels c .. c + 3 of output o (even)
 * is offset + o / 2 * pair + c / 4 * quad bytes behind `base`, that of output o + 1 `second` bytes further.
 * With `fours` four outputs' words lie together as in te_conv_quads.h, offset + o / 4 * pair + c / 4 * quad bytes behind.
 */
typedef struct te_weight_rows {
    const void *base;
    uint32_t offset, pair, quad, second;
    uint32_t whole; /* 1: trained weights are there too */
    uint32_t fours;
} te_weight_rows;

typedef struct te_layer_gradient_params {
    te_hwc in, out; /* fully connected: one pixel each */
    te_window window;
    uint16_t multiplier; /* depthwise: output channels per input channel */
    int16_t in_zero;
    int16_t headroom;      /* bits that scaled gradients leave free for the sums */
    int16_t exponent;      /* of the factors */
    const int16_t *factor; /* [out.c]: effective scale * 2^(15 - exponent); 0 for dead channels */
    const int8_t *weights; /* as in the network; where trained, `trained` holds the weights */
    te_weight_rows rows;   /* the same for te_pointwise_input_gradient */
    uint16_t block;        /* pixels at a time, for that too */
    const te_trained_bias *bias;
    const te_trained_weights *trained;
    te_input_gradient_fn *input_gradient;   /* NULL: not wanted */
    te_weight_gradient_fn *weight_gradient; /* NULL: not wanted */
    uint8_t masked, saved, joins;           /* which inputs there are besides the gradient */
} te_layer_gradient_params;

/* Scales the gradient of the output in place, then gives the gradient of the input, and updates biases and
 * weights. y: gradient of the input; unused where that is not wanted. */
void te_layer_gradient(const te_layer_gradient_params *p, const void *const *inputs, int16_t *y,
                       void *scratch, te_train_context *context);

/* ---- other operators ----------------------------------------------------------------------------------- */

typedef struct te_residual_gradient_params {
    uint32_t pixels, channels;
    int16_t factor, exponent;
    uint8_t masked, saved, joins; /* saved: always 0 */
} te_residual_gradient_params;

/* y = gradient (of a sum) by one of its terms. The gradient of the sum itself is only read; y may be the same
 * bytes as either input. scratch: 6 bytes per channel. */
void te_residual_gradient(const te_residual_gradient_params *p, const void *const *inputs, int16_t *y,
                          void *scratch, te_train_context *context);

typedef struct te_mean_gradient_params {
    te_hwc in;
    int16_t factor, exponent;
    uint8_t masked, saved, joins; /* saved: always 0 */
} te_mean_gradient_params;

/* Mean over rows and columns: every pixel gets the gradient of the one output. scratch: 8 bytes
 * per channel. */
void te_mean_gradient(const te_mean_gradient_params *p, const void *const *inputs, int16_t *y, void *scratch,
                      te_train_context *context);

typedef struct te_pool_gradient_params {
    te_hwc in, out;
    te_window window;
    int16_t exponent;
    const int16_t *factor;        /* [out.h][out.w]: 1 / pixels under the window */
    uint8_t masked, saved, joins; /* masked, saved: always 0 */
} te_pool_gradient_params;

/* Average pool; windows may overlap. The gradient of the output is brought to one exponent in place.
 * scratch: 6 bytes per channel. */
void te_pool_gradient(const te_pool_gradient_params *p, const void *const *inputs, int16_t *y, void *scratch,
                      te_train_context *context);

TE_END_C

#endif
