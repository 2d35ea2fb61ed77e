#include "writing.h"

#include "hal.h"
#include "inference.h"
#include "link.h"

#define LONGEST_PROMPT 400u
#define LONGEST_LINE 200u
#define TYPED_TOKENS 250u
#define SETTINGS_BYTES 16u

enum { SETTING_ENDLESS = 1 };

static struct {
    const te_model *model;
    te_lm_settings settings;
    uint32_t random;
    bool started, endless, ended;
    uint16_t before, next; /* tokens: read last, to be written */
    uint16_t line;         /* characters of what is typed, in the arena; more than fit: it is dropped */
} state;

void fw_writing_init(const te_model *model) {
    memset(&state, 0, sizeof state);
    state.model = model;
}

void fw_writing_drop(void) {
    state.started = false;
}

bool fw_writing_supported(void) {
    return state.model->text != NULL && state.model->run != NULL;
}

static void read_token(uint16_t token) {
    const int32_t value = token;
    memcpy(state.model->inputs[0].data, &value, sizeof value);
    state.model->run();
    state.before = token;
}

static void choose(void) {
    const te_model *m = state.model;
    state.next = (uint16_t)m->text->sample(m->text, &state.settings, m->outputs[0].data, &state.random);
}

/* Tells the host twice a second that it takes its time, where there is one. */
static void still_busy(uint32_t *last_ms) {
    if (hal_millis() - *last_ms <= 500u) return;
    fw_protocol_busy(0);
    *last_ms = hal_millis();
}

/* Forgets everything and reads a prompt; how many tokens that is. */
static uint32_t begin(const uint8_t *text, uint32_t length, bool host) {
    uint16_t tokens[LONGEST_PROMPT + 2];
    uint32_t busy_ms = hal_millis();
    const uint32_t count = state.model->text->encode(state.model->text, text, length, true, tokens);
    fw_inference_drop();
    state.model->reset();
    for (uint32_t i = 0; i < count; i++) {
        read_token(tokens[i]);
        if (host) still_busy(&busy_ms);
    }
    choose();
    state.started = true;
    state.ended = false;
    return count;
}

/* The text of the next token, which is read; bytes. */
static uint32_t step(uint8_t *text) {
    const uint16_t token = state.next;
    state.ended = !state.endless && (token == TE_LM_BEGIN || token == TE_LM_END);
    if (state.ended) return 0;
    const uint32_t length = state.model->text->decode(state.model->text, token, state.before, text);
    read_token(token);
    choose();
    return length;
}

/* Request: sharpness, share, seed, flags, text. Answer: tokens of the text. */
status fw_writing_prompt(const uint8_t *request, uint32_t length, writer *answer) {
    if (!fw_writing_supported()) return STATUS_UNSUPPORTED;
    if (length - SETTINGS_BYTES > LONGEST_PROMPT) return STATUS_MALFORMED;
    state.settings = (te_lm_settings){get_u32(request), get_u32(request + 4)};
    state.random = te_lm_seed(get_u32(request + 8));
    state.endless = (request[12] & SETTING_ENDLESS) != 0;
    put_u32(answer, begin(request + SETTINGS_BYTES, length - SETTINGS_BYTES, true));
    return STATUS_OK;
}

/* Request: tokens at most, milliseconds after which it is enough. Answer: tokens, counter ticks, whether the text has
 * ended, text. */
status fw_writing_write(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    if (!fw_writing_supported()) return STATUS_UNSUPPORTED;
    if (!state.started) return STATUS_INCOMPLETE;
    const uint32_t most = get_u16(request), enough_ms = get_u16(request + 2);
    const uint32_t start_ms = hal_millis(), start = hal_count();
    uint32_t tokens = 0, busy_ms = start_ms;
    writer head = {.data = answer->data, .capacity = answer->capacity};
    answer->length = 9;
    fw_inference_drop();
    while (tokens < most && !state.ended && answer->capacity - answer->length >= TE_LM_LONGEST_PIECE) {
        answer->length += step(answer->data + answer->length);
        if (!state.ended) tokens++;
        if (hal_millis() - start_ms >= enough_ms) break;
        still_busy(&busy_ms);
    }
    put_u32(&head, tokens);
    put_u32(&head, hal_count() - start);
    put_u8(&head, state.ended);
    return STATUS_OK;
}

/* ---- A line that is typed ---- */

/* Answers the line in the arena. */
static void continue_line(void) {
    uint8_t line[LONGEST_LINE], text[TE_LM_LONGEST_PIECE];
    const uint32_t length = state.line;
    memcpy(line, state.model->arena, length);
    state.settings = (te_lm_settings){7387u, 58982u}; /* temperature 0.8, top-p 0.9 */
    state.random = te_lm_seed(hal_count());
    state.endless = false;
    fw_link_say("\r\n");
    hal_serial_write(line, length);
    begin(line, length, false);
    for (uint32_t tokens = 0; tokens < TYPED_TOKENS && !state.ended; tokens++) {
        const uint32_t bytes = step(text);
        hal_serial_write(text, bytes);
    }
    fw_link_say("\r\n> ");
}

void fw_writing_take(uint8_t byte) {
    const uint32_t room = state.model->arena_bytes < LONGEST_LINE ? state.model->arena_bytes : LONGEST_LINE;
    if (byte == 0) {
        state.line = 0;
    } else if (byte == '\r' || byte == '\n') {
        if (state.line && state.line <= room) continue_line();
        state.line = 0;
    } else if (byte >= ' ') {
        if (state.line < room) state.model->arena[state.line] = byte;
        if (state.line <= room) state.line++;
        hal_serial_write(&byte, 1); /* an echo, for terminals that have none */
    }
}
