#include "training.h"

#include "crc32.h"
#include "hal.h"
#include "inference.h"
#include "storage.h"
#include "writing.h"

#define LONGEST_SCHEME 96u
#define LONGEST_TEXT 400u /* bytes of a segment */
/* Milliseconds to erase a KB, generously: the STM32F4 takes up to 2 s for 128 KB, the STM32F7 up to 4 for 256
 * (their data sheets, "Flash memory programming"). */
#define ERASE_MS_PER_KB 16u

enum { INFO_COMPLETE = 1, INFO_SAVED = 2, INFO_STAGED = 4, INFO_VELOCITY = 8, INFO_FLOAT = 16 };

/* Lengths of a request for a step: without and with momentum, batch and sample. */
enum { STEP_PLAIN = 16, STEP_BATCHED = 24 };

_Static_assert(STORAGE_OK == 0 && STORAGE_ABSENT == 7, "these numbers are on the wire (docs/protocol.md)");

static struct {
    const te_model *model;
    const te_trainer *trainer; /* NULL: this network cannot be trained */
    const hal_flash *flash;
    uint32_t steps; /* behind the state */
    uint32_t step_ms, evaluate_ms;
    uint32_t received;   /* bytes of a push */
    uint16_t batch;      /* samples of the batch that has begun */
    uint16_t next;       /* its sample that may follow; 0: none has begun */
    storage_names names; /* of the classes that the state tells apart */
    bool complete;       /* the state is one */
    bool saved;          /* and the newest one in flash */
} state;

bool fw_training_supported(void) {
    return state.trainer != NULL;
}

bool fw_training_complete(void) {
    return state.trainer == NULL || state.complete;
}

/* ---- Whole states ---- */

/* From now on the state is another one: rows that ran on the old one are worth nothing, nor are
 * velocities. */
static void changed(uint32_t steps, bool saved) {
    const te_trainer *t = state.trainer;
    fw_transfer_abort();
    fw_inference_drop();
    for (uint32_t i = 0; t->velocity && i < t->velocity_count; i++) t->velocity[i] = 0.0f;
    state.next = 0;
    if (!saved) state.names.length = 0;
    state.steps = steps;
    state.complete = true;
    state.saved = saved;
}

static void factory(void) {
    state.trainer->reset();
    changed(0, false);
}

static storage_status load(storage_info *info) {
    const te_trainer *t = state.trainer;
    const storage_status found =
        fw_storage_load(state.flash, t->layout, t->state, t->state_bytes, &state.names, info);
    if (found == STORAGE_OK) changed(info->steps, true);
    if (found == STORAGE_FLASH_ERROR) factory(); /* a part may have been copied */
    return found;
}

void fw_training_init(const te_model *model, const hal_flash *flash) {
    memset(&state, 0, sizeof state);
    state.model = model;
    state.trainer = model->trainer;
    state.flash = flash;
    if (state.trainer == NULL) return;
    storage_info info;
    factory();
    load(&info);
}

status fw_training_reset(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    (void)answer;
    if (state.trainer == NULL) return STATUS_UNSUPPORTED;
    factory();
    return STATUS_OK;
}

/* ---- Flash ---- */

static void put_storage(writer *answer, storage_status found, const storage_info *info) {
    put_u8(answer, (uint8_t)found);
    put_u8(answer, info->slot);
    put_u8(answer, info->fallback);
    put_u8(answer, 0);
    put_u32(answer, info->generation);
    put_u32(answer, info->steps);
    put_u32(answer, info->bytes);
}

static void announce_erasing(uint32_t bytes) {
    if (bytes) fw_protocol_busy((bytes >> 10) * ERASE_MS_PER_KB);
}

status fw_training_save(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    const te_trainer *t = state.trainer;
    if (t == NULL) return STATUS_UNSUPPORTED;
    if (!state.complete) return STATUS_NO_STATE;
    announce_erasing(fw_storage_save_erases(state.flash, t->layout, t->state_bytes, state.names.length));
    storage_info info = {0};
    const storage_status done = fw_storage_save(state.flash, t->layout, state.model->hash, t->state,
                                                t->state_bytes, &state.names, state.steps, &info);
    if (done == STORAGE_OK) state.saved = true;
    put_storage(answer, done, &info);
    return STATUS_OK;
}

status fw_training_restore(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    if (state.trainer == NULL) return STATUS_UNSUPPORTED;
    storage_info info = {0};
    const storage_status found = load(&info);
    put_storage(answer, found, &info);
    return STATUS_OK;
}

status fw_training_forget(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    if (state.trainer == NULL) return STATUS_UNSUPPORTED;
    announce_erasing(state.flash ? HAL_FLASH_SLOTS * state.flash->slot_bytes : 0);
    const storage_info none = {0};
    const storage_status done = fw_storage_clear(state.flash);
    if (done != STORAGE_ABSENT) state.saved = false;
    put_storage(answer, done, &none);
    return STATUS_OK;
}

/* ---- Names ---- */

status fw_training_names(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    if (state.trainer == NULL) return STATUS_UNSUPPORTED;
    put_bytes(answer, state.names.text, state.names.length);
    return STATUS_OK;
}

/* Texts that end with zero; none: they have no names. */
status fw_training_name(const uint8_t *request, uint32_t length, writer *answer) {
    (void)answer;
    if (state.trainer == NULL) return STATUS_UNSUPPORTED;
    if (!state.complete) return STATUS_NO_STATE;
    uint32_t count = 0;
    for (uint32_t i = 0; i < length; i++) count += request[i] == 0;
    if (length > STORAGE_NAMES_BYTES || count > state.trainer->classes ||
        (length && request[length - 1] != 0))
        return STATUS_MALFORMED;
    const bool same = length == state.names.length && memcmp(state.names.text, request, length) == 0;
    if (!same) state.saved = false;
    if (length) memcpy(state.names.text, request, length);
    state.names.length = (uint16_t)length;
    return STATUS_OK;
}

/* ---- Steps ---- */

static bool is_number(float *number, uint32_t bits) {
    memcpy(number, &bits, sizeof *number);
    return bits < 0x7F800000u; /* not negative, finite */
}

/* How to update, from the request of a step behind label and classes: rate, seed, step; then, in a longer
 * one, momentum, batch, sample. The samples of a batch come in order. */
static status read_update(const uint8_t *request, uint32_t length, te_train_update *how) {
    how->batch = 1;
    if (!is_number(&how->rate, get_u32(request + 4))) return STATUS_MALFORMED;
    how->seed = get_u32(request + 8);
    how->step = get_u32(request + 12);
    if (length == STEP_PLAIN) return STATUS_OK;
    if (length < STEP_BATCHED) return STATUS_MALFORMED;
    how->batch = get_u16(request + 20);
    how->sample = get_u16(request + 22);
    if (!is_number(&how->momentum, get_u32(request + 16)) || how->momentum > 1.0f) return STATUS_MALFORMED;
    if (how->sample >= how->batch) return STATUS_MALFORMED;
    if (state.trainer->velocity == NULL && (how->batch != 1 || how->momentum > 0.0f))
        return STATUS_UNSUPPORTED;
    if (how->sample != 0 && (how->sample != state.next || how->batch != state.batch)) return STATUS_MALFORMED;
    return STATUS_OK;
}

/* A step has been executed. */
static void stepped(const te_train_update *how) {
    const bool last = how->sample + 1u == how->batch;
    state.batch = how->batch;
    state.next = last ? 0 : (uint16_t)(how->sample + 1u);
    if (!last) return; /* the state is as before */
    state.steps += how->batch;
    state.saved = false;
}

/* Work that took so long last time is announced. */
static void announce_step(uint32_t last_ms) {
    if (last_ms == 0 || last_ms > PROTOCOL_BUSY_AFTER_MS) fw_protocol_busy(last_ms);
}

/* Loss, two numbers, steps behind the state, counter ticks, milliseconds. */
static void put_outcome(writer *answer, float loss, uint16_t first, uint16_t second, uint32_t count,
                        uint32_t ms) {
    uint32_t loss_bits;
    memcpy(&loss_bits, &loss, sizeof loss_bits);
    put_u32(answer, loss_bits);
    put_u16(answer, first);
    put_u16(answer, second);
    put_u32(answer, state.steps);
    put_u32(answer, count);
    put_u32(answer, ms);
}

/* Label, classes; then for a step what read_update says. Answer: loss, predicted class, 0, steps behind the
 * state, counter ticks (by rows: of the rows too), milliseconds. */
static status run(const uint8_t *request, uint32_t length, bool update, writer *answer) {
    const te_trainer *t = state.trainer;
    if (t == NULL || t->step == NULL) return STATUS_UNSUPPORTED;
    const te_train_sample sample = {.label = get_u16(request), .classes = get_u16(request + 2)};
    if (sample.label >= sample.classes || sample.classes > t->classes) return STATUS_MALFORMED;
    te_train_update how = {0};
    if (update) {
        const status understood = read_update(request, length, &how);
        if (understood != STATUS_OK) return understood;
    }
    if (!state.complete) return STATUS_NO_STATE;
    uint32_t count;
    const status code = fw_inference_take_input(&count);
    if (code != STATUS_OK) return code;
    uint32_t *last_ms = update ? &state.step_ms : &state.evaluate_ms;
    announce_step(*last_ms);
    const uint32_t start_ms = hal_millis(), start = hal_count();
    const te_train_result result = update ? t->step(&sample, &how) : t->evaluate(&sample);
    count += hal_count() - start;
    const uint32_t ms = hal_millis() - start_ms;
    *last_ms = ms ? ms : 1; /* 0 stands for unknown */
    if (update) stepped(&how);
    put_outcome(answer, result.loss, result.predicted, 0, count, ms);
    return STATUS_OK;
}

status fw_training_step(const uint8_t *request, uint32_t length, writer *answer) {
    return run(request, length, true, answer);
}

status fw_training_evaluate(const uint8_t *request, uint32_t length, writer *answer) {
    return run(request, length, false, answer);
}

/* ---- Steps of a language model ---- */

/* The first tokens of a text, and how many; taken: bytes of the text that they are. */
static uint32_t first_tokens(const uint8_t *data, uint32_t length, uint16_t *tokens, uint32_t *taken) {
    const te_lm_text *text = state.model->text;
    uint8_t piece[TE_LM_LONGEST_PIECE];
    uint32_t count = text->encode(text, data, length, true, tokens);
    if (count > state.trainer->segment_tokens + 1u) count = state.trainer->segment_tokens + 1u;
    *taken = 0;
    for (uint32_t i = 1; i < count; i++) *taken += text->decode(text, tokens[i], tokens[i - 1], piece);
    return count;
}

/* how NULL: judges only. */
static status learn(const uint8_t *data, uint32_t length, const te_train_update *how, writer *answer) {
    const te_trainer *t = state.trainer;
    uint16_t tokens[LONGEST_TEXT + 2];
    if (length > LONGEST_TEXT) return STATUS_MALFORMED;
    if (!state.complete) return STATUS_NO_STATE;
    uint32_t taken;
    const uint32_t count = first_tokens(data, length, tokens, &taken);
    if (count < 2) return STATUS_MALFORMED;
    fw_inference_drop();
    fw_writing_drop();
    uint32_t *last_ms = how ? &state.step_ms : &state.evaluate_ms;
    announce_step(*last_ms);
    const uint32_t start_ms = hal_millis(), start = hal_count();
    const te_train_result result = t->segment(tokens, count - 1, how);
    const uint32_t ticks = hal_count() - start, ms = hal_millis() - start_ms;
    *last_ms = ms ? ms : 1;
    if (how) stepped(how);
    put_outcome(answer, result.loss, (uint16_t)(count - 1), (uint16_t)taken, ticks, ms);
    return STATUS_OK;
}

static bool learns_text(void) {
    return state.trainer != NULL && state.trainer->segment != NULL;
}

/* As a batched step, without label and classes, then text. */
status fw_training_text(const uint8_t *request, uint32_t length, writer *answer) {
    te_train_update how = {0};
    if (!learns_text()) return STATUS_UNSUPPORTED;
    const status understood = read_update(request, STEP_BATCHED, &how);
    if (understood != STATUS_OK) return understood;
    return learn(request + STEP_BATCHED, length - STEP_BATCHED, &how, answer);
}

status fw_training_judge_text(const uint8_t *request, uint32_t length, writer *answer) {
    return learns_text() ? learn(request, length, NULL, answer) : STATUS_UNSUPPORTED;
}

/* ---- The state, from and to the host ---- */

static bool staged(void) {
    return state.model->arena_bytes >= state.trainer->state_bytes;
}

status fw_training_info(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    const te_trainer *t = state.trainer;
    if (t == NULL) return STATUS_UNSUPPORTED;
    put_u32(answer, t->state_bytes);
    put_u32(answer, t->trained_weights);
    put_u32(answer, t->trained_biases);
    put_u32(answer, state.steps);
    put_u32(answer, fw_crc32(0, t->state, t->state_bytes));
    put_u16(answer, t->classes);
    put_u16(answer, (uint16_t)((state.complete ? INFO_COMPLETE : 0) | (state.saved ? INFO_SAVED : 0) |
                               (staged() ? INFO_STAGED : 0) | (t->velocity ? INFO_VELOCITY : 0) |
                               (t->float_gradients ? INFO_FLOAT : 0)));
    storage_info info = {0};
    const storage_status found = fw_storage_load(state.flash, t->layout, NULL, t->state_bytes, NULL, &info);
    put_storage(answer, found, &info);
    put_string(answer, t->scheme, LONGEST_SCHEME);
    put_string(answer, t->layout, STORAGE_ID_DIGITS);
    return STATUS_OK;
}

status fw_training_state_size(uint8_t index, uint32_t *bytes) {
    if (state.trainer == NULL || index != 0 || !state.complete) return STATUS_NOT_THERE;
    *bytes = state.trainer->state_bytes;
    return STATUS_OK;
}

void fw_training_read_state(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length) {
    (void)index;
    if (length) memcpy(data, state.trainer->state + offset, length);
}

status fw_training_open_state(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape) {
    (void)flags;
    (void)shape;
    if (state.trainer == NULL) return STATUS_UNSUPPORTED;
    if (index != 0 || length != state.trainer->state_bytes) return STATUS_MALFORMED;
    fw_inference_drop();
    state.received = 0;
    if (!staged()) {
        state.complete = false;
        state.saved = false;
    }
    return STATUS_OK;
}

status fw_training_take_state(uint32_t offset, uint8_t *data, uint32_t length) {
    uint8_t *target = staged() ? state.model->arena : state.trainer->state;
    memcpy(target + offset, data, length);
    state.received = offset + length;
    return STATUS_OK;
}

/* CRC-32 of the state, steps behind it, its layout. The CRC also finds a copy in the arena that something
 * ran over. */
status fw_training_accept(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    (void)answer;
    const te_trainer *t = state.trainer;
    if (t == NULL) return STATUS_UNSUPPORTED;
    if (memcmp(request + 8, t->layout, STORAGE_ID_DIGITS) != 0) return STATUS_FOREIGN;
    const uint8_t *source = staged() ? state.model->arena : t->state;
    if (state.received != t->state_bytes || fw_crc32(0, source, t->state_bytes) != get_u32(request))
        return STATUS_INCOMPLETE;
    if (staged()) memcpy(t->state, source, t->state_bytes);
    state.received = 0;
    changed(get_u32(request + 4), false);
    return STATUS_OK;
}
