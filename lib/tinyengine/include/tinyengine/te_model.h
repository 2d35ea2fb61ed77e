/* What the generated code tells the application about a network.
 *
 * The compiler writes one `const te_model` per network. Calling sequence: fill the inputs, call run(), read
 * the outputs. Inputs are consumed: their bytes may be overwritten during run(), so fill them anew each time.
 *
 * States keep their bytes between runs, outside the arena. A network that has some (reset is not NULL) needs
 * reset() before its first run, and whenever it is to begin anew.
 *
 * A network compiled for input by rows may hold no more of its input than a few rows: then run and
 * inputs[0].data are NULL, and begin, push_rows, finish are the only way.
 */
#ifndef TE_MODEL_H
#define TE_MODEL_H

#include "tinyengine/te_boxes.h"
#include "tinyengine/te_lm_text.h"
#include "tinyengine/te_train.h"
#include "tinyengine/te_types.h"

TE_BEGIN_C

enum { TE_INT8, TE_UINT8, TE_INT16, TE_INT32, TE_FLOAT32, TE_UINT32, TE_UINT64 }; /* te_port.dtype */

/* An input or output: values of type `dtype`, dims[0..rank-1] (batch left out). Real value = scale * (q -
 * zero_point); what has no quantization has scale 1 and zero point 0. */
typedef struct te_port {
    const char *name;
    void *data; /* aligned to 4; NULL for an input that is never there as a whole */
    uint32_t bytes;
    float scale;
    int32_t zero_point;
    uint8_t rank, dtype;
    uint16_t dims[4];
} te_port;

/* One layer, for profiles: what it is called and how much work it does. */
typedef struct te_layer {
    const char *name, *op;
    uint32_t macs;
} te_layer;

/* Called between layers by run_profiled; index counts from 0 and the call comes right after that layer. */
typedef void (*te_layer_hook)(void *context, uint32_t index);

typedef struct te_model {
    const char *name;
    const char *hash;     /* 16 hexadecimal digits: the model file, its metadata, the rounding */
    const char *metadata; /* the network's MODEL.json in compact form; "{}" if none */
    uint8_t *arena;
    uint32_t arena_bytes;
    uint32_t macs;
    uint16_t n_inputs, n_outputs, n_layers;
    const te_port *inputs, *outputs;
    const te_layer *layers; /* NULL in a network compiled for little flash */
    void (*run)(void);
    /* Like run, or, where run is NULL, like finish:
     * the hook of the layer that push_rows computed comes at once. */
    void (*run_profiled)(te_layer_hook hook, void *context);
    /* The frame by rows: begin, then push any number of whole rows of input 0 in order, then finish, then
     * read the outputs. Rows hold values of its type. */
    void (*begin)(void);
    void (*push_rows)(const void *rows, uint32_t count);
    void (*finish)(void);
    const te_trainer *trainer; /* NULL: compiled without an update scheme */
    void (*reset)(void);       /* all states to their initial values; NULL: there are none */
    const te_lm_text *text;    /* of a language model: input 0 is a token, output 0 logits; else NULL */
    const te_boxes *boxes;     /* of a detector whose MODEL.json says how its outputs are read; else NULL */
} te_model;

TE_END_C

#endif
