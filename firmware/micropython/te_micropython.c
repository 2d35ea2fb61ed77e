/* tinyengine's networks in MicroPython: the module `tinyengine` of a firmware, or, compiled with
 * MICROPY_ENABLE_DYNRUNTIME, a native .mpy. Python's side of it: docs/micropython.md.
 *
 * A network is there once, however many objects stand for it: what it keeps between two calls lies in
 * te_python_memory. Buffers are views of the network's own memory; what returns them allocates nothing.
 */
#include "te_micropython.h"

#include <string.h>

#if MICROPY_ENABLE_DYNRUNTIME
#include "py/dynruntime.h"
#else
#include "py/runtime.h"
#endif
#include "py/objarray.h"
#include "py/objtuple.h"
#include "te_networks.h"

#define LAYOUT_DIGITS 16u /* a state begins with te_trainer.layout, a file of weights with te_model.hash */
#define LARGEST_FLOAT 0x7F800000u

/* One per network. No variable of this file is static: native modules reach theirs by a table of symbols. */
typedef struct te_python_memory {
    uint8_t ready;        /* its states are set */
    uint8_t open;         /* rows have begun, and nothing else has used its arena since */
    uint16_t batch, next; /* samples of the batch that has begun, and which may follow; next 0: none has */
    uint32_t rows;        /* received */
} te_python_memory;

te_python_memory te_python_memories[TE_NETWORKS];
const void *te_python_weights[TE_NETWORKS]; /* objects whose buffers are bound: the collector must see them */
const void *te_python_module; /* of a native module: keeps its memory, as long as objects live */

typedef struct te_python_object {
    mp_obj_base_t base;
    const te_python_network *network;
    te_python_memory *memory;
    mp_obj_t inputs, outputs; /* tuples of views; None for an input that is never there as a whole */
    mp_obj_t labels;          /* a tuple, MP_OBJ_NULL until somebody asks */
    void *picture;            /* what load() works with; stays for the next picture of the same kind */
    const void *module;
} te_python_object;

__attribute__((noreturn)) static void wrong_value(mp_rom_error_text_t sentence) {
    mp_raise_msg(&mp_type_ValueError, sentence);
    __builtin_unreachable();
}

__attribute__((noreturn)) static void wrong_moment(mp_rom_error_text_t sentence) {
    mp_raise_msg(&mp_type_RuntimeError, sentence);
    __builtin_unreachable();
}

__attribute__((noreturn)) static void wrong_type(mp_rom_error_text_t sentence) {
    mp_raise_msg(&mp_type_TypeError, sentence);
    __builtin_unreachable();
}

static void *allocate(size_t bytes) {
    void *memory = m_malloc(bytes); /* of a native module: NULL where there is no room */
#if MICROPY_ENABLE_DYNRUNTIME
    if (memory == NULL)
        mp_raise_msg((const mp_obj_type_t *)mp_load_global(MP_QSTR_MemoryError),
                     MP_ERROR_TEXT("no room on the heap for what the network was asked"));
#endif
    return memory;
}

/* ---- Ports ---- */

static mp_obj_t text(const char *string) {
    return mp_obj_new_str(string, strlen(string));
}

static char typecode(const te_port *port) {
    return "bBhifIQ"[port->dtype];
}

static uint32_t item_bytes(const te_port *port) {
    static const uint8_t bytes[] = {1, 1, 2, 4, 4, 4, 8};
    return bytes[port->dtype];
}

static mp_obj_t new_view(const te_port *port, bool writable) {
    if (port->data == NULL) return mp_const_none;
    mp_obj_array_t *view = allocate(sizeof *view);
#if MICROPY_ENABLE_DYNRUNTIME
    view->base.type = (const mp_obj_type_t *)mp_load_global(MP_QSTR_memoryview);
#else
    view->base.type = &mp_type_memoryview;
#endif
    view->typecode = (uint8_t)(typecode(port) | (writable ? MP_OBJ_ARRAY_TYPECODE_FLAG_RW : 0));
    view->free = 0; /* of a view: where it begins */
    view->len = port->bytes / item_bytes(port);
    view->items = port->data;
    return MP_OBJ_FROM_PTR(view);
}

static mp_obj_t new_views(const te_port *ports, uint32_t count, bool writable) {
    mp_obj_tuple_t *views = MP_OBJ_TO_PTR(mp_obj_new_tuple(count, NULL));
    for (uint32_t i = 0; i < count; i++) views->items[i] = mp_const_none;
    for (uint32_t i = 0; i < count; i++) views->items[i] = new_view(&ports[i], writable);
    return MP_OBJ_FROM_PTR(views);
}

static mp_obj_t first_of(mp_obj_t views) {
    return ((mp_obj_tuple_t *)MP_OBJ_TO_PTR(views))->items[0];
}

/* (name, type code, shape, scale, zero point) */
static mp_obj_t describe(const te_port *port) {
    const char code = typecode(port);
    mp_obj_tuple_t *shape = MP_OBJ_TO_PTR(mp_obj_new_tuple(port->rank, NULL));
    for (uint32_t i = 0; i < port->rank; i++) shape->items[i] = MP_OBJ_NEW_SMALL_INT(port->dims[i]);
    mp_obj_t items[] = {text(port->name), mp_obj_new_str(&code, 1), MP_OBJ_FROM_PTR(shape),
                        mp_obj_new_float_from_f(port->scale), mp_obj_new_int(port->zero_point)};
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}

static mp_obj_t describe_all(const te_port *ports, uint32_t count) {
    mp_obj_tuple_t *all = MP_OBJ_TO_PTR(mp_obj_new_tuple(count, NULL));
    for (uint32_t i = 0; i < count; i++) all->items[i] = mp_const_none;
    for (uint32_t i = 0; i < count; i++) all->items[i] = describe(&ports[i]);
    return MP_OBJ_FROM_PTR(all);
}

static mp_obj_t split_labels(const te_python_network *network) {
    mp_obj_tuple_t *labels = MP_OBJ_TO_PTR(mp_obj_new_tuple(network->n_labels, NULL));
    const char *next = network->labels;
    for (uint32_t i = 0; i < network->n_labels; i++) labels->items[i] = mp_const_none;
    for (uint32_t i = 0; i < network->n_labels; i++, next += strlen(next) + 1) labels->items[i] = text(next);
    return MP_OBJ_FROM_PTR(labels);
}

/* ---- Which network ---- */

static void forget_rows(te_python_object *self) {
    self->memory->open = 0;
    self->memory->next = 0;
}

/* The network is about to use its arena: the open rows of others that share it are lost. */
static void take_arena(const te_python_object *self) {
    const te_model *mine = self->network->model;
    for (uint32_t i = 0; i < TE_NETWORKS; i++) {
        const te_model *other = te_python_networks[i].model;
        const bool apart = other->arena + other->arena_bytes <= mine->arena ||
                           mine->arena + mine->arena_bytes <= other->arena;
        if (other != mine && !apart) te_python_memories[i].open = 0;
    }
}

static const te_python_network *find(size_t n_args, const mp_obj_t *args) {
#if !MICROPY_ENABLE_DYNRUNTIME
    if (n_args == 1) {
        const char *name = mp_obj_str_get_str(args[0]);
        for (uint32_t i = 0; i < TE_NETWORKS; i++)
            if (strcmp(te_python_networks[i].name, name) == 0) return &te_python_networks[i];
        wrong_value(MP_ERROR_TEXT("there is no network of this name: see tinyengine.names()"));
    }
    if (TE_NETWORKS > 1)
        wrong_type(MP_ERROR_TEXT("there are several networks: name one of tinyengine.names()"));
#else
    (void)n_args;
    (void)args;
#endif
    return &te_python_networks[0];
}

/* Connects a network with its constants, where they are a file. */
static void bind_weights(const te_python_network *network, const void **bound, size_t n_args,
                         const mp_obj_t *args) {
    if (network->bind == NULL) {
#if MICROPY_ENABLE_DYNRUNTIME
        if (n_args) wrong_type(MP_ERROR_TEXT("this network has its weights inside: call Network()"));
#endif
        return;
    }
    if (n_args == 0) {
        if (*bound) return;
        wrong_type(MP_ERROR_TEXT("the weights of this network are a file: call Network(weights)"));
    }
    mp_buffer_info_t weights;
    mp_get_buffer_raise(args[0], &weights, MP_BUFFER_READ);
    if (weights.len != network->weight_bytes)
        wrong_value(
            MP_ERROR_TEXT("the weights have another size: take the file that was written with this module"));
    if (memcmp(weights.buf, network->model->hash, LAYOUT_DIGITS) != 0)
        wrong_value(
            MP_ERROR_TEXT("these are weights of another network: take the file written with this module"));
    if ((uintptr_t)weights.buf % 4u)
        wrong_value(
            MP_ERROR_TEXT("the weights do not begin at a multiple of 4: use the .romfs written with them"));
    *bound = MP_OBJ_TO_PTR(args[0]);
    network->bind(weights.buf);
}

static mp_obj_t network_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw,
                                 const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    const te_python_network *network = find(n_args, args);
    const te_model *model = network->model;
    te_python_memory *memory = &te_python_memories[network - te_python_networks];
    bind_weights(network, &te_python_weights[network - te_python_networks], n_args, args);
    if (!memory->ready) { /* once: what was trained meanwhile stays */
        if (model->trainer) model->trainer->reset();
        if (model->reset) model->reset();
        memory->ready = 1;
    }
    te_python_object *self = allocate(sizeof *self);
    self->base.type = type;
    self->network = network;
    self->memory = memory;
    self->module = te_python_module;
    self->inputs = self->outputs = self->labels = MP_OBJ_NULL;
    self->picture = NULL;
    self->inputs = new_views(model->inputs, model->n_inputs, true);
    self->outputs = new_views(model->outputs, model->n_outputs, false);
    return MP_OBJ_FROM_PTR(self);
}

/* ---- Input ---- */

/* All axes but the last two count as rows, as for push_rows. */
static uint32_t rows_of(const te_model *model) {
    const te_port *in = &model->inputs[0];
    uint32_t rows = 1;
    for (uint32_t i = 0; i + 2 < in->rank; i++) rows *= in->dims[i];
    return rows;
}

static uint32_t row_bytes(const te_model *model) {
    return model->inputs[0].bytes / rows_of(model);
}

static void require_rows(const te_model *model) {
    if (model->n_inputs != 1) wrong_moment(MP_ERROR_TEXT("rows are for networks of one input: use run(...)"));
}

/* Values in the arena, or all rows pushed: what run, train and evaluate begin with. */
static void deliver(te_python_object *self, size_t count, const mp_obj_t *buffers) {
    const te_model *model = self->network->model;
    mp_buffer_info_t buffer;
    if (count != model->n_inputs) wrong_type(MP_ERROR_TEXT("give one buffer for each input of the network"));
    for (size_t i = 0; i < count; i++) {
        mp_get_buffer_raise(buffers[i], &buffer, MP_BUFFER_READ);
        if (buffer.len != model->inputs[i].bytes)
            wrong_value(MP_ERROR_TEXT("the buffer has another size than the input: see input_ports"));
    }
    take_arena(self);
    self->memory->open = 0;
    for (size_t i = 0; i < count; i++) {
        const te_port *port = &model->inputs[i];
        mp_get_buffer_raise(buffers[i], &buffer, MP_BUFFER_READ);
        if (port->data) memmove(port->data, buffer.buf, port->bytes);
    }
    if (model->inputs[0].data == NULL) {
        mp_get_buffer_raise(buffers[0], &buffer, MP_BUFFER_READ);
        model->begin();
        model->push_rows(buffer.buf, rows_of(model));
        self->memory->open = 1;
        self->memory->rows = rows_of(model);
    }
}

/* What there is without a buffer: a frame in the arena, or all of its rows. */
static void require_input(te_python_object *self) {
    const te_model *model = self->network->model;
    if (self->memory->open) {
        if (self->memory->rows < rows_of(model))
            wrong_moment(MP_ERROR_TEXT("rows are missing: push() the rest, or begin() anew"));
    } else if (model->inputs[0].data == NULL) {
        wrong_moment(MP_ERROR_TEXT("there is no input: begin(), push() all rows, or give a buffer"));
    } else {
        take_arena(self);
    }
}

static mp_obj_t outputs_of(const te_python_object *self) {
    return self->network->model->n_outputs == 1 ? first_of(self->outputs) : self->outputs;
}

static mp_obj_t network_run(size_t n_args, const mp_obj_t *args) {
    te_python_object *self = MP_OBJ_TO_PTR(args[0]);
    const te_model *model = self->network->model;
    if (n_args == 1 && self->memory->open && self->memory->rows < rows_of(model))
        wrong_moment(MP_ERROR_TEXT("rows are open: finish() them, begin() anew, or give run() a buffer"));
    if (n_args > 1)
        deliver(self, n_args - 1, args + 1);
    else
        require_input(self);
    if (model->run)
        model->run();
    else
        model->finish();
    self->memory->open = 0;
    return outputs_of(self);
}

static mp_obj_t network_begin(mp_obj_t self_in) {
    te_python_object *self = MP_OBJ_TO_PTR(self_in);
    require_rows(self->network->model);
    take_arena(self);
    self->network->model->begin();
    self->memory->open = 1;
    self->memory->rows = 0;
    return mp_const_none;
}

static mp_obj_t network_push(mp_obj_t self_in, mp_obj_t rows) {
    te_python_object *self = MP_OBJ_TO_PTR(self_in);
    const te_model *model = self->network->model;
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(rows, &buffer, MP_BUFFER_READ);
    if (!self->memory->open) wrong_moment(MP_ERROR_TEXT("no rows are open: begin() first"));
    const uint32_t row = row_bytes(model), count = (uint32_t)buffer.len / row;
    if (buffer.len % row) wrong_value(MP_ERROR_TEXT("rows come whole: push a multiple of row_bytes bytes"));
    if (count > rows_of(model) - self->memory->rows)
        wrong_value(MP_ERROR_TEXT("these are more rows than the input has left"));
    model->push_rows(buffer.buf, count);
    self->memory->rows += count;
    return mp_const_none;
}

static mp_obj_t network_finish(mp_obj_t self_in) {
    te_python_object *self = MP_OBJ_TO_PTR(self_in);
    if (!self->memory->open) wrong_moment(MP_ERROR_TEXT("no rows are open: begin() first"));
    require_input(self);
    self->network->model->finish();
    self->memory->open = 0;
    return outputs_of(self);
}

#if TE_PYTHON_IMAGES

typedef struct te_python_picture {
    const te_pixels *pixels;
    mp_int_t width, height;
    te_image image;
    uint32_t memory[];
} te_python_picture;

static const struct {
    const char *name;
    const te_pixels *pixels;
} te_python_formats[] = {
    {"rgb565le", &te_rgb565le},   {"rgb565be", &te_rgb565be},   {"rgb888", &te_rgb888},
    {"gray8", &te_gray8},         {"yuyv", &te_yuyv},           {"uyvy", &te_uyvy},
    {"yuyv_gray", &te_yuyv_gray}, {"uyvy_gray", &te_uyvy_gray},
};

static const te_pixels *format_called(const char *name) {
    for (uint32_t i = 0; i < MP_ARRAY_SIZE(te_python_formats); i++)
        if (strcmp(te_python_formats[i].name, name) == 0) return te_python_formats[i].pixels;
    wrong_value(
        MP_ERROR_TEXT("this format of pixels is unknown: rgb565le, rgb565be, rgb888, gray8, yuyv, uyvy, "
                      "yuyv_gray or uyvy_gray"));
}

/* load(framebuffer, width, height, format): the picture becomes the input, as rows of which none is missing */
static mp_obj_t network_load(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    te_python_object *self = MP_OBJ_TO_PTR(args[0]);
    const te_model *model = self->network->model;
    const mp_int_t width = mp_obj_get_int(args[2]), height = mp_obj_get_int(args[3]);
    const te_pixels *pixels = format_called(mp_obj_str_get_str(args[4]));
    if (self->network->image == NULL)
        wrong_moment(MP_ERROR_TEXT("how a picture becomes the input is unknown: compile with a MODEL.json"));
    uint32_t bytes = 0;
    te_image_source source = {.pixels = pixels};
    if (width > 0 && width <= (mp_int_t)TE_IMAGE_LARGEST && height > 0 &&
        height <= (mp_int_t)TE_IMAGE_LARGEST) {
        source.width = (uint16_t)width;
        source.height = (uint16_t)height;
        bytes = te_image_bytes(self->network->image, &source);
    }
    if (bytes == 0) wrong_value(MP_ERROR_TEXT("no picture has these sides: they are from 1 to 4095"));
    mp_buffer_info_t frame;
    mp_get_buffer_raise(args[1], &frame, MP_BUFFER_READ);
    if (frame.len != te_image_line_bytes(&source) * source.height)
        wrong_value(MP_ERROR_TEXT("the framebuffer has another size than width, height and format say"));
    te_python_picture *picture = self->picture;
    if (picture == NULL || picture->pixels != pixels || picture->width != width ||
        picture->height != height) {
        self->picture = NULL;
        picture = allocate(sizeof *picture + bytes);
        te_image_open(&picture->image, self->network->image, &source, picture->memory, bytes);
        picture->pixels = pixels;
        picture->width = width;
        picture->height = height;
        self->picture = picture;
    }
    take_arena(self);
    te_image_feed(&picture->image, model);
    te_image_push(&picture->image, frame.buf, source.height);
    self->memory->open = 1;
    self->memory->rows = rows_of(model);
    return mp_const_none;
}

#endif

/* ---- Answers ---- */

static float value_at(const te_port *port, uint32_t i) {
    switch (port->dtype) {
    case TE_INT8:
        return ((const int8_t *)port->data)[i];
    case TE_UINT8:
        return ((const uint8_t *)port->data)[i];
    case TE_INT16:
        return ((const int16_t *)port->data)[i];
    default:
        return ((const float *)port->data)[i];
    }
}

static bool is_larger(const te_port *port, uint32_t i, uint32_t than) {
    switch (port->dtype) {
    case TE_INT32:
        return ((const int32_t *)port->data)[i] > ((const int32_t *)port->data)[than];
    case TE_UINT32:
        return ((const uint32_t *)port->data)[i] > ((const uint32_t *)port->data)[than];
    case TE_UINT64:
        return ((const te_u64 *)port->data)[i] > ((const te_u64 *)port->data)[than];
    default:
        return value_at(port, i) > value_at(port, than);
    }
}

static mp_obj_t network_argmax(size_t n_args, const mp_obj_t *args) {
    const te_python_object *self = MP_OBJ_TO_PTR(args[0]);
    const te_model *model = self->network->model;
    const mp_int_t index = n_args > 1 ? mp_obj_get_int(args[1]) : 0;
    if (index < 0 || index >= model->n_outputs) wrong_value(MP_ERROR_TEXT("the network has no such output"));
    const te_port *port = &model->outputs[index];
    const uint32_t count = port->bytes / item_bytes(port);
    uint32_t best = 0;
    for (uint32_t i = 1; i < count; i++)
        if (is_larger(port, i, best)) best = i;
    return MP_OBJ_NEW_SMALL_INT(best);
}

/* ---- Training and states ---- */

static const te_trainer *trainer_of(const te_python_object *self) {
    const te_trainer *trainer = self->network->model->trainer;
    if (trainer == NULL)
        wrong_moment(MP_ERROR_TEXT("this network cannot be trained: compile it with --train"));
    return trainer;
}

static te_train_sample sample_of(const te_trainer *trainer, mp_obj_t label) {
    const mp_int_t number = mp_obj_get_int(label);
    if (number < 0 || number >= trainer->classes)
        wrong_value(MP_ERROR_TEXT("the label is none of the network's classes"));
    return (te_train_sample){.label = (uint16_t)number, .classes = trainer->classes};
}

static mp_obj_t outcome(te_python_object *self, te_train_result result) {
    self->memory->open = 0;
    mp_obj_t items[] = {mp_obj_new_float_from_f(result.loss), MP_OBJ_NEW_SMALL_INT(result.predicted)};
    return mp_obj_new_tuple(2, items);
}

static void take_sample(te_python_object *self, mp_obj_t x) {
    if (x == mp_const_none)
        require_input(self);
    else
        deliver(self, 1, &x);
}

/* A number that is not negative and finite. */
static float positive(mp_obj_t given, float otherwise) {
    const float number = given == MP_OBJ_NULL ? otherwise : mp_obj_get_float_to_f(given);
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (bits >= LARGEST_FLOAT && bits != 0x80000000u)
        wrong_value(MP_ERROR_TEXT("rate and momentum are numbers that are not negative"));
    return number;
}

static uint16_t count_of(mp_obj_t given, uint16_t otherwise) {
    const mp_int_t number = given == MP_OBJ_NULL ? otherwise : mp_obj_get_int(given);
    if (number < 0 || number > 0xFFFF)
        wrong_value(MP_ERROR_TEXT("batch and sample are numbers from 0 to 65535"));
    return (uint16_t)number;
}

static uint32_t word(mp_obj_t given) {
    return given == MP_OBJ_NULL ? 0 : (uint32_t)mp_obj_get_int_truncated(given);
}

/* train(x, label, rate=.01, seed=0, step=0, momentum=0, batch=1, sample=0) -> (loss, predicted) */
static mp_obj_t network_train(size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    enum { X, LABEL, RATE, SEED, STEP, MOMENTUM, BATCH, SAMPLE, ARGUMENTS };
    const mp_arg_t allowed[] = {
        {MP_QSTR_x, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_label, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_rate, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_seed, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_step, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_momentum, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_batch, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
        {MP_QSTR_sample, MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL}},
    };
    mp_arg_val_t given[ARGUMENTS];
    te_python_object *self = MP_OBJ_TO_PTR(args[0]);
    te_python_memory *memory = self->memory;
    const te_trainer *trainer = trainer_of(self);
    mp_arg_parse_all(n_args - 1, args + 1, kw_args, ARGUMENTS, allowed, given);
    const te_train_sample sample = sample_of(trainer, given[LABEL].u_obj);
    const te_train_update how = {
        .rate = positive(given[RATE].u_obj, 0.01f),
        .seed = word(given[SEED].u_obj),
        .step = word(given[STEP].u_obj),
        .momentum = positive(given[MOMENTUM].u_obj, 0.0f),
        .batch = count_of(given[BATCH].u_obj, 1),
        .sample = count_of(given[SAMPLE].u_obj, 0),
    };
    if (how.momentum > 1.0f) wrong_value(MP_ERROR_TEXT("momentum is at most 1"));
    if (how.sample >= how.batch) wrong_value(MP_ERROR_TEXT("sample counts from 0 to batch - 1"));
    if (trainer->velocity == NULL && (how.batch != 1 || how.momentum > 0.0f))
        wrong_value(MP_ERROR_TEXT("momentum and batches need a network compiled with --velocity"));
    if (how.sample != 0 && (how.sample != memory->next || how.batch != memory->batch))
        wrong_value(MP_ERROR_TEXT("the samples of a batch come in order, from 0 on"));
    take_sample(self, given[X].u_obj);
    const te_train_result result = trainer->step(&sample, &how);
    memory->batch = how.batch;
    memory->next = how.sample + 1u == how.batch ? 0 : (uint16_t)(how.sample + 1u);
    return outcome(self, result);
}

static mp_obj_t network_evaluate(mp_obj_t self_in, mp_obj_t x, mp_obj_t label) {
    te_python_object *self = MP_OBJ_TO_PTR(self_in);
    const te_trainer *trainer = trainer_of(self);
    const te_train_sample sample = sample_of(trainer, label);
    take_sample(self, x);
    return outcome(self, trainer->evaluate(&sample));
}

static mp_obj_t network_reset(mp_obj_t self_in) {
    te_python_object *self = MP_OBJ_TO_PTR(self_in);
    const te_model *model = self->network->model;
    if (model->trainer == NULL && model->reset == NULL)
        wrong_moment(
            MP_ERROR_TEXT("there is nothing to reset: this network has no states and is not trained"));
    if (model->trainer) model->trainer->reset();
    if (model->reset) model->reset();
    forget_rows(self);
    return mp_const_none;
}

/* What was trained, behind the name of its layout. */
static mp_obj_t get_state(const te_python_object *self) {
    const te_trainer *trainer = trainer_of(self);
    uint8_t *bytes = allocate(LAYOUT_DIGITS + trainer->state_bytes);
    memcpy(bytes, trainer->layout, LAYOUT_DIGITS);
    memcpy(bytes + LAYOUT_DIGITS, trainer->state, trainer->state_bytes);
    return mp_obj_new_bytearray_by_ref(LAYOUT_DIGITS + trainer->state_bytes, bytes);
}

static void set_state(te_python_object *self, mp_obj_t value) {
    const te_trainer *trainer = trainer_of(self);
    mp_buffer_info_t buffer;
    mp_get_buffer_raise(value, &buffer, MP_BUFFER_READ);
    if (buffer.len < LAYOUT_DIGITS || memcmp(buffer.buf, trainer->layout, LAYOUT_DIGITS) != 0)
        wrong_value(MP_ERROR_TEXT("this is the state of another network, or of another way to train it"));
    if (buffer.len != LAYOUT_DIGITS + trainer->state_bytes)
        wrong_value(MP_ERROR_TEXT("this state is not complete: save it anew"));
    memcpy(trainer->state, (const uint8_t *)buffer.buf + LAYOUT_DIGITS, trainer->state_bytes);
    for (uint32_t i = 0; i < trainer->velocity_count; i++) trainer->velocity[i] = 0.0f;
    forget_rows(self);
}

/* ---- The type ---- */

static void network_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest) {
    te_python_object *self = MP_OBJ_TO_PTR(self_in);
    const te_model *model = self->network->model;
    if (dest[0] != MP_OBJ_NULL) { /* to be set, or deleted */
        if (name == MP_QSTR_state && dest[1] != MP_OBJ_NULL) {
            set_state(self, dest[1]);
            dest[0] = MP_OBJ_NULL;
        }
        return;
    }
    if (name == MP_QSTR_input)
        dest[0] = first_of(self->inputs);
    else if (name == MP_QSTR_inputs)
        dest[0] = self->inputs;
    else if (name == MP_QSTR_output)
        dest[0] = first_of(self->outputs);
    else if (name == MP_QSTR_outputs)
        dest[0] = self->outputs;
    else if (name == MP_QSTR_input_scale)
        dest[0] = mp_obj_new_float_from_f(model->inputs[0].scale);
    else if (name == MP_QSTR_input_zero_point)
        dest[0] = mp_obj_new_int(model->inputs[0].zero_point);
    else if (name == MP_QSTR_output_scale)
        dest[0] = mp_obj_new_float_from_f(model->outputs[0].scale);
    else if (name == MP_QSTR_output_zero_point)
        dest[0] = mp_obj_new_int(model->outputs[0].zero_point);
    else if (name == MP_QSTR_input_ports)
        dest[0] = describe_all(model->inputs, model->n_inputs);
    else if (name == MP_QSTR_output_ports)
        dest[0] = describe_all(model->outputs, model->n_outputs);
    else if (name == MP_QSTR_row_bytes)
        dest[0] = MP_OBJ_NEW_SMALL_INT(row_bytes(model));
    else if (name == MP_QSTR_arena_bytes)
        dest[0] = mp_obj_new_int_from_uint(model->arena_bytes);
    else if (name == MP_QSTR_macs)
        dest[0] = mp_obj_new_int_from_uint(model->macs);
    else if (name == MP_QSTR_name)
        dest[0] = text(self->network->name);
    else if (name == MP_QSTR_hash)
        dest[0] = text(model->hash);
    else if (name == MP_QSTR_metadata)
        dest[0] = text(model->metadata);
    else if (name == MP_QSTR_scheme)
        dest[0] = model->trainer ? text(model->trainer->scheme) : mp_const_none;
    else if (name == MP_QSTR_classes)
        dest[0] = MP_OBJ_NEW_SMALL_INT(model->trainer ? model->trainer->classes : 0);
    else if (name == MP_QSTR_state)
        dest[0] = get_state(self);
    else if (name == MP_QSTR_labels) {
        if (self->labels == MP_OBJ_NULL) self->labels = split_labels(self->network);
        dest[0] = self->labels;
    } else
        dest[1] = MP_OBJ_SENTINEL; /* a method */
}

static mp_obj_t names(void) {
    mp_obj_tuple_t *all = MP_OBJ_TO_PTR(mp_obj_new_tuple(TE_NETWORKS, NULL));
    for (uint32_t i = 0; i < TE_NETWORKS; i++) all->items[i] = mp_const_none;
    for (uint32_t i = 0; i < TE_NETWORKS; i++) all->items[i] = text(te_python_networks[i].name);
    return MP_OBJ_FROM_PTR(all);
}

static MP_DEFINE_CONST_FUN_OBJ_VAR(run_obj, 1, network_run);
static MP_DEFINE_CONST_FUN_OBJ_1(begin_obj, network_begin);
static MP_DEFINE_CONST_FUN_OBJ_2(push_obj, network_push);
static MP_DEFINE_CONST_FUN_OBJ_1(finish_obj, network_finish);
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(argmax_obj, 1, 2, network_argmax);
static MP_DEFINE_CONST_FUN_OBJ_KW(train_obj, 1, network_train);
static MP_DEFINE_CONST_FUN_OBJ_3(evaluate_obj, network_evaluate);
static MP_DEFINE_CONST_FUN_OBJ_1(reset_obj, network_reset);
static MP_DEFINE_CONST_FUN_OBJ_0(names_obj, names);
#if TE_PYTHON_IMAGES
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(load_obj, 5, 5, network_load);
#endif

#if MICROPY_ENABLE_DYNRUNTIME

mp_obj_full_type_t te_python_type;
mp_map_elem_t te_python_methods[8];
static MP_DEFINE_CONST_DICT(methods, te_python_methods);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    (void)n_args;
    (void)n_kw;
    (void)args;
    MP_DYNRUNTIME_INIT_ENTRY
    const mp_map_elem_t all[] = {
        {MP_OBJ_NEW_QSTR(MP_QSTR_run), MP_OBJ_FROM_PTR(&run_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_begin), MP_OBJ_FROM_PTR(&begin_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_push), MP_OBJ_FROM_PTR(&push_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_finish), MP_OBJ_FROM_PTR(&finish_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_argmax), MP_OBJ_FROM_PTR(&argmax_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_train), MP_OBJ_FROM_PTR(&train_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_evaluate), MP_OBJ_FROM_PTR(&evaluate_obj)},
        {MP_OBJ_NEW_QSTR(MP_QSTR_reset), MP_OBJ_FROM_PTR(&reset_obj)},
    };
    _Static_assert(sizeof all == sizeof te_python_methods, "every method has its place");
    memcpy(te_python_methods, all, sizeof all);
    te_python_module = self->context;
    te_python_type.base.type = &mp_type_type;
    te_python_type.flags = MP_TYPE_FLAG_NONE;
    te_python_type.name = MP_QSTR_Network;
    MP_OBJ_TYPE_SET_SLOT(&te_python_type, make_new, network_make_new, 0);
    MP_OBJ_TYPE_SET_SLOT(&te_python_type, attr, network_attr, 1);
    MP_OBJ_TYPE_SET_SLOT(&te_python_type, locals_dict, (void *)&methods, 2);
    mp_store_global(MP_QSTR_Network, MP_OBJ_FROM_PTR(&te_python_type));
    mp_store_global(MP_QSTR_names, MP_OBJ_FROM_PTR(&names_obj));
    MP_DYNRUNTIME_INIT_EXIT
}

#else

static const mp_rom_map_elem_t methods_table[] = {
    {MP_ROM_QSTR(MP_QSTR_run), MP_ROM_PTR(&run_obj)},
    {MP_ROM_QSTR(MP_QSTR_begin), MP_ROM_PTR(&begin_obj)},
    {MP_ROM_QSTR(MP_QSTR_push), MP_ROM_PTR(&push_obj)},
    {MP_ROM_QSTR(MP_QSTR_finish), MP_ROM_PTR(&finish_obj)},
    {MP_ROM_QSTR(MP_QSTR_argmax), MP_ROM_PTR(&argmax_obj)},
    {MP_ROM_QSTR(MP_QSTR_train), MP_ROM_PTR(&train_obj)},
    {MP_ROM_QSTR(MP_QSTR_evaluate), MP_ROM_PTR(&evaluate_obj)},
    {MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&reset_obj)},
#if TE_PYTHON_IMAGES
    {MP_ROM_QSTR(MP_QSTR_load), MP_ROM_PTR(&load_obj)},
#endif
};
static MP_DEFINE_CONST_DICT(methods, methods_table);

static MP_DEFINE_CONST_OBJ_TYPE(te_python_type, MP_QSTR_Network, MP_TYPE_FLAG_NONE, make_new,
                                network_make_new, attr, network_attr, locals_dict, &methods);

static const mp_rom_map_elem_t module_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_tinyengine)},
    {MP_ROM_QSTR(MP_QSTR_Network), MP_ROM_PTR(&te_python_type)},
    {MP_ROM_QSTR(MP_QSTR_names), MP_ROM_PTR(&names_obj)},
};
static MP_DEFINE_CONST_DICT(module_globals, module_table);

const mp_obj_module_t te_python_user_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&module_globals,
};

MP_REGISTER_MODULE(MP_QSTR_tinyengine, te_python_user_module);

#endif
