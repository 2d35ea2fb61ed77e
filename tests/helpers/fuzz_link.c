/* Feeds the firmware's frame decoder and dispatcher with hostile bytes, under sanitizers.
 *
 * Built plainly it has its own generator and is deterministic: fuzz_link INPUTS [SEED]. Built with
 * -DLIBFUZZER it is an entry point for libFuzzer. Both check, besides what the sanitizers see, that every
 * byte the device sends belongs to a well-formed answer, and that the network is never run on an incomplete
 * input or a trained state that is half of one and half of another. Every restart changes between a state
 * that fits the arena and one that does not.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "bytes.h"
#include "cobs.h"
#include "crc32.h"
#include "flash.h"
#include "hal.h"
#include "link.h"
#include "protocol.h"
#include "training.h"

/* ---- A small network ---- */

#define ROWS 20u
#define ROW 60u
#define INPUT (ROWS * ROW)
#define LONG_OUTPUT 1500u

static uint8_t arena[INPUT + 8 + LONG_OUTPUT + 20];
static uint32_t rows_seen, runs, steps, saves, pushes;

static void check(bool condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "violated: %s\n", what);
        abort();
    }
}

/* ---- Its trainer: all bytes of a whole state are equal ---- */

#define SMALL_STATE 300u
#define LARGE_STATE 3000u
#define LAYOUT "0123456789abcdef"

static uint8_t trained[LARGE_STATE];
static uint32_t state_bytes;

static void check_state(void) {
    for (uint32_t i = 1; i < state_bytes; i++) check(trained[i] == trained[0], "ran on parts of two states");
}

/* The larger state has velocities: at most one batch has begun, and its samples come in order. */
static float velocity[4];
static uint32_t batch, next_sample;

static void reset_state(void) {
    memset(trained, 17, state_bytes);
    batch = next_sample = 0;
}

/* Returns whether this sample ends its batch. */
static bool check_batch(const te_train_update *update) {
    check(update->batch >= 1 && update->sample < update->batch, "a sample outside its batch");
    check(update->momentum >= 0 && update->momentum <= 1, "a momentum that grows");
    check(state_bytes == LARGE_STATE || (update->batch == 1 && update->momentum == 0), "no velocities");
    if (update->sample) {
        check(update->sample == next_sample && update->batch == batch, "a sample out of order");
    }
    batch = update->batch;
    next_sample = update->sample + 1u;
    velocity[3] += 1;
    return next_sample == batch;
}

static te_train_result evaluate(const te_train_sample *sample) {
    check(sample->label < sample->classes && sample->classes <= 8, "a sample of no class");
    check_state();
    memset(arena, 2, sizeof arena);
    return (te_train_result){.loss = 1, .predicted = 0};
}

static te_train_result step(const te_train_sample *sample, const te_train_update *update) {
    check(update->rate >= 0, "a negative rate");
    const te_train_result result = evaluate(sample);
    steps++;
    if (!check_batch(update)) return result;
    next_sample = 0;
    for (uint32_t i = 0; i < state_bytes; i++) trained[i]++;
    return result;
}

/* ---- */

static void run(void) {
    check_state();
    memset(arena + INPUT, 1, 8 + LONG_OUTPUT);
    runs++;
}

static void run_profiled(te_layer_hook hook, void *context) {
    run();
    hook(context, 0);
    hook(context, 1);
}

static void begin(void) {
    rows_seen = 0;
}

static void push_rows(const void *data, uint32_t count) {
    const int8_t *rows = data;
    check(rows_seen + count <= ROWS, "more rows than the picture has");
    int32_t sum = 0;
    for (uint32_t i = 0; i < count * ROW; i++) sum += rows[i]; /* all of it may be read */
    arena[INPUT] = (uint8_t)sum;
    rows_seen += count;
}

static void finish(void) {
    check(rows_seen == ROWS, "finished without all rows");
    run();
}

static const te_layer layers[] = {{"a", "conv_2d", 5}, {"b", "add", 6}};
static const te_port inputs[] = {{"picture", (int8_t *)arena, INPUT, 1, 0, 3, TE_INT8, {ROWS, 20, 3, 0}}};
static const te_port outputs[] = {
    {"short", (int8_t *)arena + INPUT, 8, 1, 0, 1, TE_INT8, {8, 0, 0, 0}},
    {"long", (int8_t *)arena + INPUT + 8, LONG_OUTPUT, 1, 0, 1, TE_INT8, {LONG_OUTPUT, 0, 0, 0}},
};
#define TRAINER(bytes, velocities)                                                                           \
    {                                                                                                        \
        .scheme = "last-layer", .layout = LAYOUT, .classes = 8, .state = trained, .state_bytes = bytes,      \
        .trained_weights = 3, .trained_biases = 4, .reset = reset_state, .step = step, .evaluate = evaluate, \
        .velocity = velocities, .velocity_count = 4                                                          \
    }
static const te_trainer trainers[2] = {TRAINER(SMALL_STATE, NULL), TRAINER(LARGE_STATE, velocity)};
static te_model model = {
    .name = "fuzz",
    .hash = "00",
    .metadata = "{\"classes\":[]}",
    .arena = arena,
    .arena_bytes = sizeof arena,
    .n_inputs = 1,
    .n_outputs = 2,
    .n_layers = 2,
    .inputs = inputs,
    .outputs = outputs,
    .layers = layers,
    .run = run,
    .run_profiled = run_profiled,
    .begin = begin,
    .push_rows = push_rows,
    .finish = finish,
};

static void restart(void) {
    static uint32_t restarts;
    model.trainer = &trainers[restarts++ % 2];
    state_bytes = model.trainer->state_bytes;
    fw_app_init(&model);
}

/* ---- Hardware that is only memory ---- */

#define SLOT 4096u
#define FLASH_BASE 0x1000u

static uint8_t cells[2 * SLOT];

static hal_flash_status flash_read(uint32_t address, uint8_t *data, uint32_t bytes) {
    memcpy(data, cells + (address - FLASH_BASE), bytes);
    return HAL_FLASH_OK;
}

static hal_flash_status flash_erase(uint32_t address) {
    memset(cells + (address - FLASH_BASE), 0xFF, SLOT);
    return HAL_FLASH_OK;
}

static hal_flash_status flash_program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    memcpy(cells + (address - FLASH_BASE), data, bytes);
    saves++;
    return HAL_FLASH_OK;
}

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = {
        .slots = {FLASH_BASE, FLASH_BASE + SLOT},
        .slot_bytes = SLOT,
        .sector_bytes = SLOT,
        .unit = 4,
        .read = flash_read,
        .erase_sector = flash_erase,
        .program = flash_program,
    };
    return &flash;
}

static const uint8_t *line_data;
static size_t line_left;
static uint32_t clock_ms;
static jmp_buf reset_target;

static uint8_t answer_buffer[LINK_BODY];
static cobs_decoder answer_decoder = {.buffer = answer_buffer, .capacity = sizeof answer_buffer};
static uint16_t device_session, last_sequence;
static uint32_t answers, good_answers;

static void check_answer(void) {
    const size_t length = answer_decoder.length;
    check(length >= LINK_HEADER + LINK_CRC, "an answer shorter than its header");
    check(fw_crc32(0, answer_buffer, length - LINK_CRC) == get_u32(answer_buffer + length - LINK_CRC),
          "an answer with a wrong CRC");
    check(get_u16(answer_buffer + 6) == length - LINK_HEADER - LINK_CRC, "an answer with a wrong length");
    check(answer_buffer[0] & OP_ANSWER, "a message that is no answer");
    check(answer_buffer[1] <= STATUS_FOREIGN, "an unknown status");
    answers++;
    if (answer_buffer[1] == STATUS_OK) good_answers++;
    if (answer_buffer[0] == (OP_ACCEPT_STATE | OP_ANSWER) && answer_buffer[1] == STATUS_OK) pushes++;
    if (answer_buffer[0] == (OP_HELLO | OP_ANSWER) && answer_buffer[1] == STATUS_OK) {
        device_session = get_u16(answer_buffer + 2);
        last_sequence = get_u16(answer_buffer + 4);
    }
}

void hal_init(void) {}

size_t hal_serial_read(uint8_t *buffer, size_t max) {
    const size_t n = line_left < max ? line_left : max;
    if (n) memcpy(buffer, line_data, n);
    line_data += n;
    line_left -= n;
    return n;
}

uint32_t hal_serial_lost(void) {
    return 0;
}

void hal_serial_write(const uint8_t *buffer, size_t length) {
    for (size_t i = 0; i < length; i++) {
        const cobs_event event = fw_cobs_take(&answer_decoder, buffer[i]);
        if (event == COBS_MORE) continue;
        check(event == COBS_FRAME || event == COBS_NOTHING, "an answer that is not COBS");
        if (event == COBS_FRAME) check_answer();
        fw_cobs_restart(&answer_decoder);
    }
}

bool hal_serial_set_baud(uint32_t baud) {
    return baud >= 9600 && baud <= 2000000;
}
void hal_wait(void) {}
uint32_t hal_millis(void) {
    return clock_ms;
}
uint32_t hal_count(void) {
    return clock_ms * 1000;
}
const char *hal_count_unit(void) {
    return "ticks";
}
uint32_t hal_count_rate(void) {
    return 1000000;
}
const char *hal_board(void) {
    return "fuzz";
}
uint32_t hal_stack_used(void) {
    return 0;
}
uint32_t hal_stack_size(void) {
    return 0;
}
void hal_reset(void) {
    longjmp(reset_target, 1);
}

/* One stretch of the line, then the clock moves. */
static void feed(const uint8_t *data, size_t length, uint32_t milliseconds) {
    line_data = data;
    line_left = length;
    if (setjmp(reset_target)) {
        device_session = 0;
        fw_cobs_restart(&answer_decoder);
        restart();
    }
    while (line_left) fw_app_poll();
    clock_ms += milliseconds;
    fw_app_poll();
}

/* ---- Frames ---- */

static size_t encode(uint8_t *out, uint8_t op, uint16_t session, uint16_t sequence, const uint8_t *payload,
                     uint32_t length) {
    static uint8_t body[4096];
    writer w = {.data = body, .capacity = sizeof body};
    put_u8(&w, op);
    put_u8(&w, 0);
    put_u16(&w, session);
    put_u16(&w, sequence);
    put_u16(&w, (uint16_t)length);
    put_bytes(&w, payload, length);
    put_u32(&w, fw_crc32(0, body, w.length));
    size_t n = 0;
    out[n++] = 0;
    const uint8_t *from = body;
    for (size_t left = w.length;;) {
        const size_t block = fw_cobs_block(from, left);
        out[n++] = (uint8_t)(block + 1);
        memcpy(out + n, from, block);
        n += block;
        from += block;
        left -= block;
        if (left == 0) break;
        if (block < 254) {
            from++;
            left--;
        }
    }
    out[n++] = 0;
    return n;
}

static const uint8_t hello_payload[] = {'T', 'I', 'N', 'Y', 1, 1};
#ifdef LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First byte even: the rest is the line itself. Odd: the rest is a list of (op, milliseconds / 16, length,
 * payload), each of which becomes a valid frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t wire[8192];
    if (size < 1) return 0;
    restart();
    fw_cobs_restart(&answer_decoder);
    uint16_t sequence = 1;
    feed(wire, encode(wire, OP_HELLO, 7, sequence, hello_payload, sizeof hello_payload), 0);
    if ((data[0] & 1) == 0) {
        feed(data + 1, size - 1, 10);
        return 0;
    }
    uint16_t transfer = 0;
    for (size_t i = 1; i + 3 <= size;) {
        const uint8_t op = data[i];
        const uint32_t wait = data[i + 1] * 16u;
        const size_t left = size - i - 3, length = data[i + 2] < left ? data[i + 2] : left;
        if (op != OP_DATA) sequence++;
        if (op == OP_OPEN) transfer = sequence;
        feed(wire, encode(wire, op, 7, op == OP_DATA ? transfer : sequence, data + i + 3, (uint32_t)length),
             wait);
        i += 3 + length;
    }
    return 0;
}

#else

/* xorshift64*, G. Marsaglia / S. Vigna: small and the same everywhere. */
static uint64_t random_state;

static uint32_t any(uint32_t below) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)(random_state * 0x2545F4914F6CDD1Dull >> 32) % below;
}

static void fill(uint8_t *data, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) data[i] = (uint8_t)(any(4) ? any(256) : 0);
}

static uint32_t mostly(uint32_t right) {
    static const uint32_t odd[] = {0,    1,    2,    59,         1199,       1200,      1201,
                                   1023, 1024, 1025, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    return any(5) ? right : odd[any(sizeof odd / sizeof odd[0])];
}

static const uint8_t known_ops[] = {
    OP_HELLO,   OP_IDENTIFY,   OP_TENSOR,     OP_LAYERS,     OP_ECHO,        OP_BAUD,
    OP_OPEN,    OP_DATA,       OP_READ,       OP_RUN,        OP_STATISTICS,  OP_OPEN,
    OP_PROFILE, OP_TRAIN_INFO, OP_TRAIN_STEP, OP_TRAIN_STEP, OP_RESET_STATE, OP_ACCEPT_STATE,
    OP_SAVE,    OP_RESTORE,    OP_FORGET,     OP_EVALUATE,   OP_REWIND,
};

static uint16_t transfer;
static uint32_t upload_next, upload_by_rows, upload_gray, upload_whole;
static bool uploading, upload_state;
static uint8_t pushed; /* all bytes of the state being pushed */

/* A payload that fits its op, mostly. */
static uint32_t make_payload(uint8_t op, uint8_t *p) {
    writer w = {.data = p, .capacity = 2048};
    if (any(12) == 0) {
        w.length = any(64);
        fill(p, w.length);
        return w.length;
    }
    switch (op) {
    case OP_HELLO:
        put_bytes(&w, hello_payload, sizeof hello_payload);
        break;
    case OP_TENSOR:
        put_u8(&w, (uint8_t)mostly(any(2)));
        put_u8(&w, (uint8_t)mostly(any(2)));
        break;
    case OP_LAYERS:
    case OP_PROFILE:
        put_u16(&w, (uint16_t)mostly(any(3)));
        break;
    case OP_TRACE:
        put_u16(&w, (uint16_t)mostly(any(2)));
        put_u16(&w, 0);
        put_u32(&w, mostly(any(INPUT)));
        put_u32(&w, mostly(any(64)));
        break;
    case OP_ECHO:
        w.length = any(20) ? any(40) : LINK_PAYLOAD - 2 + any(4);
        fill(p, w.length);
        break;
    case OP_BAUD:
        put_u32(&w, mostly(any(2) ? 115200 : 1000000));
        break;
    case OP_OPEN:
        upload_next = 0;
        uploading = true;
        upload_state = any(4) == 0;
        if (upload_state) {
            pushed = (uint8_t)any(256);
            upload_whole = state_bytes;
            put_u8(&w, TARGET_STATE);
            put_u8(&w, (uint8_t)(any(20) == 0));
            put_u16(&w, 0);
            put_u32(&w, mostly(state_bytes));
            break;
        }
        upload_by_rows = any(2);
        upload_gray = any(4) == 0;
        upload_whole = upload_gray ? INPUT / 3 : INPUT;
        put_u8(&w, (uint8_t)mostly(upload_by_rows));
        put_u8(&w, (uint8_t)mostly(0));
        put_u8(&w, (uint8_t)upload_gray);
        put_u8(&w, 0);
        put_u32(&w, mostly(upload_whole));
        break;
    case OP_DATA: {
        const uint32_t row = upload_gray ? ROW / 3 : ROW, whole = upload_whole;
        uint32_t n = upload_by_rows && !upload_state ? row * (1 + any(ROWS)) : 1 + any(whole);
        if (upload_next + n > whole || any(3) == 0) n = whole - upload_next;
        const uint32_t most = upload_state ? LINK_DATA_BYTES : LINK_DATA_BYTES / ROW * row;
        if (n > most && any(16)) n = most;
        if (any(16) == 0) n += any(3);
        put_u32(&w, any(4) ? upload_next : mostly(upload_next));
        fill(p + 4, n);
        if (upload_state) memset(p + 4, pushed, n);
        w.length += n;
        upload_next = any(8) ? upload_next + n : 0;
        if (upload_next > whole) upload_next = 0;
        break;
    }
    case OP_READ: {
        const uint32_t size = any(2) ? 8 : LONG_OUTPUT;
        put_u8(&w, any(4) ? (uint8_t)mostly(any(2)) : OBJECT_STATE);
        put_u8(&w, (uint8_t)mostly(size != 8));
        put_u16(&w, 0);
        put_u32(&w, mostly(any(size)));
        put_u32(&w, mostly(any(size)));
        break;
    }
    case OP_TRAIN_STEP:
    case OP_EVALUATE:
        put_u16(&w, (uint16_t)mostly(any(3)));
        put_u16(&w, (uint16_t)mostly(3 + any(6)));
        if (op == OP_EVALUATE) break;
        put_u32(&w, any(8) ? any(0x7F800000u) : any(0xFFFFFFFFu));
        put_u32(&w, any(5));
        put_u32(&w, any(5));
        if (any(2)) break;
        put_u32(&w, any(8) ? any(0x3F800001u) : any(0xFFFFFFFFu)); /* momentum */
        put_u16(&w, (uint16_t)mostly(1 + any(3)));
        put_u16(&w, (uint16_t)mostly(any(3)));
        break;
    case OP_ACCEPT_STATE: {
        static uint8_t whole[LARGE_STATE];
        memset(whole, pushed, state_bytes);
        put_u32(&w, any(8) ? fw_crc32(0, whole, state_bytes) : any(5));
        put_u32(&w, any(5));
        put_bytes(&w, any(8) ? LAYOUT : "0123456789abcdeF", 16);
        break;
    }
    case OP_RUN:
        put_u8(&w, (uint8_t)(any(64) == 0)); /* boxes, which this network has none of */
        break;
    default:
        put_u8(&w, (uint8_t)any(2));
    }
    return w.length;
}

static size_t make_frame(uint8_t *out) {
    uint8_t payload[4096];
    uint8_t op = known_ops[any(sizeof known_ops)];
    if (uploading && any(8)) {
        const uint8_t use = upload_state ? OP_ACCEPT_STATE : any(3) ? OP_RUN : OP_TRAIN_STEP;
        op = upload_next == upload_whole ? use : OP_DATA;
    }
    if (any(40) == 0) op = (uint8_t)(any(8) ? any(256) : OP_RESET);
    if (op == OP_HELLO && any(4)) op = OP_OPEN;
    if (op == OP_REWIND && any(2)) op = OP_TRACE;
    if (device_session == 0 && any(4)) op = OP_HELLO;
    const uint32_t length = make_payload(op, payload);
    const uint16_t session = op == OP_HELLO ? (uint16_t)(1 + any(3))
                             : any(50)      ? device_session
                                            : (uint16_t)any(5);
    uint16_t sequence = any(20) ? ++last_sequence : (uint16_t)(last_sequence - any(3));
    if (op == OP_RUN || op == OP_TRAIN_STEP || op == OP_ACCEPT_STATE) uploading = false;
    if (op == OP_OPEN) transfer = sequence;
    if (op == OP_DATA && any(20)) sequence = transfer;
    return encode(out, op, session, sequence, payload, length);
}

static size_t mutate(uint8_t *data, size_t length) {
    for (uint32_t times = 1 + any(3); times-- && length > 2;) {
        const size_t at = any((uint32_t)length), n = 1 + any((uint32_t)(length - at));
        switch (any(5)) {
        case 0:
            data[at] ^= (uint8_t)(1u << any(8));
            break;
        case 1:
            data[at] = (uint8_t)any(256);
            break;
        case 2: /* lose */
            memmove(data + at, data + at + n, length - at - n);
            length -= n;
            break;
        case 3: /* double */
            memmove(data + at + n, data + at, length - at);
            length += n;
            break;
        default: /* cut */
            length = at;
        }
    }
    return length;
}

int main(int argc, char **argv) {
    const uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 1000000u;
    random_state = 0x9E3779B97F4A7C15ull + (argc > 2 ? strtoull(argv[2], NULL, 0) : 0);
    static uint8_t wire[65536];
    memset(cells, 0xFF, sizeof cells);
    restart();
    for (uint32_t i = 0; i < count; i++) {
        size_t length;
        const uint32_t kind = any(16);
        if (kind == 0) {
            length = any(300);
            fill(wire, (uint32_t)length);
        } else if (kind == 1) { /* longer than any frame may be, with few separators */
            length = any(64) ? any(200) : any(4000);
            for (size_t k = 0; k < length; k++) wire[k] = (uint8_t)(1 + any(255));
            if (length) wire[length - 1] = 0;
        } else {
            length = make_frame(wire);
            if (kind < 6) length = mutate(wire, length);
        }
        feed(wire, length, any(1000) ? any(3) : any(5000));
    }
    printf("inputs %u answers %u ok %u runs %u steps %u pushes %u written %u\n", (unsigned)count,
           (unsigned)answers, (unsigned)good_answers, (unsigned)runs, (unsigned)steps, (unsigned)pushes,
           (unsigned)saves);
    return 0;
}

#endif
