#include "network.h"

#include <string.h>

#include "crc32.h"
#include "hal.h"

#ifndef ROWS
#define ROWS 40u
#define COLUMNS 48u
#define SIDE 50u
#endif
#define ROW (COLUMNS * 3u)
#define INPUT (ROWS * ROW)
#define MIRROR (SIDE * SIDE)
#define UNUSED 512u /* at the top of the arena: never written, so the high-water mark must stop below it */

static _Alignas(16) uint8_t arena[INPUT + 16 + MIRROR + 16 + 16 + UNUSED];
static int8_t *const picture = (int8_t *)arena;
static int8_t *const sums = (int8_t *)arena + INPUT;
static int8_t *const mirror = (int8_t *)arena + INPUT + 16;
static int8_t *const calls = (int8_t *)arena + INPUT + 16 + MIRROR;
static int8_t *const seasoning = (int8_t *)arena + INPUT + 16 + MIRROR + 16;

static uint32_t position, runs, begins, rows_pushed, picture_crc;

/* Input 127, -128, 127, -128 at the start asks for a long run: 400 ms at least, of which the clock shows
 * whole ones. */
static void maybe_dawdle(const int8_t *first) {
    if (first[0] == 127 && first[1] == -128 && first[2] == 127 && first[3] == -128) {
        const uint32_t start = hal_millis();
        while (hal_millis() - start <= 400u) {
        }
    }
}

static void begin(void) {
    position = 0;
    picture_crc = 0;
    begins++;
    memset(sums, 0, 10);
}

static void push_rows(const void *data, uint32_t count) {
    const int8_t *rows = data;
    if (position == 0) maybe_dawdle(rows);
    picture_crc = fw_crc32(picture_crc, data, count * ROW);
    for (uint32_t i = 0; i < count * ROW; i++, position++) {
        sums[position % 10] = (int8_t)(uint8_t)(sums[position % 10] + rows[i]);
        if (position < MIRROR) mirror[MIRROR - 1 - position] = (int8_t)(rows[i] ^ 0x5A);
    }
    rows_pushed += count;
}

static void finish(void) {
    position = 0;
    runs++;
    calls[0] = (int8_t)(uint8_t)runs;
    calls[1] = (int8_t)(uint8_t)begins;
    calls[2] = (int8_t)(uint8_t)rows_pushed;
    calls[3] = (int8_t)(uint8_t)(rows_pushed >> 8);
}

static void run(void) {
    begin();
    push_rows(picture, ROWS);
#ifdef SECOND_INPUT
    for (uint32_t i = 0; i < 4; i++) sums[i] = (int8_t)(uint8_t)(sums[i] + seasoning[i]);
#endif
    memset(picture, 0x33, INPUT); /* inputs are consumed */
    finish();
}

/* ---- A trainer: its state says in which order it has seen which samples ---- */

#ifndef SECOND_INPUT
#ifdef ROWS_ONLY
#define STATE_BYTES 10001u /* more than the arena has: pushed right into the state */
#else
#define STATE_BYTES 5001u
#endif
static _Alignas(8) uint8_t trained[STATE_BYTES];

static void reset(void) {
    for (uint32_t i = 0; i < STATE_BYTES; i++) trained[i] = (uint8_t)(i * 7u);
}

static uint32_t continue_u32(uint32_t crc, uint32_t value) {
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                              (uint8_t)(value >> 24)};
    return fw_crc32(crc, bytes, sizeof bytes);
}

static uint32_t sample_crc(const te_train_sample *sample) {
    if (position != INPUT) { /* a whole frame */
        begin();
        push_rows(picture, ROWS);
    }
    position = 0;
    return continue_u32(picture_crc, sample->label | (uint32_t)sample->classes << 16);
}

static te_train_result result_of(uint32_t crc, uint16_t classes) {
    return (te_train_result){.loss = (float)(crc & 0xFFFFu) / 1024.0f,
                             .predicted = (uint16_t)((crc >> 16) % classes)};
}

#ifdef VELOCITY
/* Each sample changes all of them; only the last one of a batch changes the state, by them too. */
static float velocity[3];

static uint32_t gained(uint32_t crc, const te_train_update *update) {
    for (uint32_t i = 0; i < 3; i++) {
        if (update->sample == 0) velocity[i] *= update->momentum;
        velocity[i] += (float)(crc >> 8 * i & 255u) / (float)update->batch;
        crc = continue_u32(crc, (uint32_t)velocity[i]);
    }
    return crc;
}
#endif

static te_train_result step(const te_train_sample *sample, const te_train_update *update) {
    uint32_t rate_bits, crc = sample_crc(sample);
    memcpy(&rate_bits, &update->rate, sizeof rate_bits);
    crc = continue_u32(continue_u32(continue_u32(crc, rate_bits), update->seed), update->step);
#ifdef VELOCITY
    crc = gained(crc, update);
    if (update->sample + 1u != update->batch) return result_of(crc, sample->classes);
#endif
    for (uint32_t i = 0; i < STATE_BYTES; i++) {
        trained[i] = (uint8_t)(trained[i] * 5u + (crc >> 8 * (i % 4)));
    }
    return result_of(crc, sample->classes);
}

static te_train_result evaluate(const te_train_sample *sample) {
    return result_of(fw_crc32(sample_crc(sample), trained, STATE_BYTES), sample->classes);
}

static const te_trainer trainer = {
    .scheme = "last-3",
    .layout = "00112233445566ff",
    .classes = 10,
    .state = trained,
    .state_bytes = STATE_BYTES,
    .trained_weights = 4000,
    .trained_biases = 250,
#ifdef VELOCITY
    .velocity = velocity,
    .velocity_count = 3,
#endif
    .reset = reset,
    .step = step,
    .evaluate = evaluate,
};
#endif

/* ---- */

#define LAYERS 300u /* more than one answer holds */
#define LAYER {"one of many", "add", 7},
#define TEN(x) x x x x x x x x x x
static const te_layer layers[LAYERS] = {
    {"first", "conv_2d", 1000},
    {"second", "depthwise_conv_2d", 200},
    /* clang-format off */
    TEN(TEN(LAYER)) TEN(TEN(LAYER)) TEN(LAYER) TEN(LAYER) TEN(LAYER) TEN(LAYER) TEN(LAYER)
    TEN(LAYER) TEN(LAYER) TEN(LAYER) TEN(LAYER) LAYER LAYER LAYER LAYER LAYER LAYER LAYER LAYER
    /* clang-format on */
};

static void run_profiled(te_layer_hook hook, void *context) {
    run();
    for (uint32_t i = 0; i < LAYERS; i++) hook(context, i);
}

static const te_port inputs[] = {
    {"picture", picture, INPUT, 0.0078125f, -1, 3, TE_INT8, {ROWS, COLUMNS, 3, 0}},
    {"seasoning", seasoning, 4, 1.0f, 0, 1, TE_INT8, {4, 0, 0, 0}},
};
static const te_port outputs[] = {
    {"sums", sums, 10, 0.5f, 3, 1, TE_INT8, {10, 0, 0, 0}},
    {"mirror", mirror, MIRROR, 1.0f, 0, 2, TE_INT8, {SIDE, SIDE, 0, 0}},
    {"calls", calls, 4, 1.0f, 0, 1, TE_INT8, {4, 0, 0, 0}},
};

const te_model network = {
    .name = "by_hand",
    .hash = "0123456789abcdef",
    .metadata = "{\"task\":\"classification\",\"classes\":[\"zero\",\"one\",\"two\"],"
                "\"input\":{\"mapping\":\"pixel-128\",\"color\":\"rgb\",\"resize\":\"bilinear\"}}",
    .arena = arena,
    .arena_bytes = sizeof arena,
    .macs = 12345,
#ifdef SECOND_INPUT
    .n_inputs = 2,
#else
    .n_inputs = 1,
#endif
    .n_outputs = 3,
    .n_layers = LAYERS,
    .inputs = inputs,
    .outputs = outputs,
    .layers = layers,
#ifndef ROWS_ONLY
    .run = run,
#endif
    .run_profiled = run_profiled,
#ifndef FRAME_ONLY
    .begin = begin,
    .push_rows = push_rows,
    .finish = finish,
#endif
#ifndef SECOND_INPUT
    .trainer = &trainer,
#endif
};
