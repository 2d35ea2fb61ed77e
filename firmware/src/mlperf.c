#include "mlperf.h" /* so that the file is never empty, which C forbids */

#ifdef FW_MLPERF
#include "hal.h"
#include "inference.h"
#include "link.h"
#include "network.h"

#include <string.h>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)
#define LONGEST_COMMAND 80u
#define DEFAULT_WARM_UPS 10u

/* What the runner sends: pixels as uint8, features as the network's own int8, or (anomaly detection) float32. */
static const char MODEL[] = TEXT(FW_MLPERF);
#define IS_PIXELS (MODEL[0] == 'v' || MODEL[0] == 'i')
#define IS_ANOMALY (FW_MLPERF_VALUE_BYTES == 4)

static struct {
    const te_model *model;
    char command[LONGEST_COMMAND + 1];
    uint32_t length;   /* of the command; more than fits: it is dropped */
    uint32_t expected; /* bytes of the input, by "db load" */
    uint32_t loaded;
    uint64_t ticks; /* counted so far */
    uint32_t last;  /* counter when they were */
    _Alignas(4) uint8_t input[FW_MLPERF_VALUE_BYTES * NETWORK_INPUT_0_BYTES];
} state;

/* ---- Words ---- */

static void say_number(uint32_t number) {
    char digits[11];
    char *first = digits + sizeof digits - 1;
    *first = 0;
    do {
        *--first = (char)('0' + number % 10u);
        number /= 10u;
    } while (number);
    fw_link_say(first);
}

/* As printf's %0.3f: the nearest, halves to even. */
static void say_thousandths(double value) {
    if (value < 0) fw_link_say("-");
    const double scaled = (value < 0 ? -value : value) * 1000;
    if (!(scaled < 4e9)) { /* no number either */
        fw_link_say("4000000.000");
        return;
    }
    uint32_t whole = (uint32_t)scaled;
    const double rest = scaled - whole;
    if (rest > 0.5 || (rest == 0.5 && whole % 2u)) whole++; /* NOLINT: halves are exact */
    say_number(whole / 1000u);
    const char decimals[] = {
        '.', (char)('0' + whole / 100u % 10u), (char)('0' + whole / 10u % 10u), (char)('0' + whole % 10u), 0,
    };
    fw_link_say(decimals);
}

static void say_three(const char *before, uint32_t number, const char *after) {
    fw_link_say(before);
    say_number(number);
    fw_link_say(after);
}

/* The next word of the command, or NULL; words end with a zero from then on. */
static char *word(char **rest) {
    while (**rest == ' ') (*rest)++;
    if (!**rest) return NULL;
    char *const first = *rest;
    while (**rest && **rest != ' ') (*rest)++;
    if (**rest) *(*rest)++ = 0;
    return first;
}

/* Decimal digits; anything else, or more than 9 of them, is -1. */
static int32_t number_of(const char *text) {
    int32_t number = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && digit - text < 9; digit++) number = 10 * number + (*digit - '0');
    return *digit || digit == text ? -1 : number;
}

/* ---- Time ---- */

/* The counter wraps within half a minute: to be called more often than that. */
static void count(void) {
    const uint32_t now = hal_count();
    state.ticks += now - state.last;
    state.last = now;
}

static void say_timestamp(void) {
    count();
    say_three("m-lap-us-", (uint32_t)(state.ticks * 1000000u / hal_count_rate()), "\r\n");
}

/* ---- The input ---- */

static uint32_t input_bytes(void) {
    return state.model->inputs[0].bytes * FW_MLPERF_VALUE_BYTES;
}

static int32_t hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static void load(const char *bytes) {
    const int32_t expected = bytes ? number_of(bytes) : -1;
    if (expected <= 0) {
        fw_link_say("e-[Command 'db load' requires the # of bytes]\r\n");
    } else if ((uint32_t)expected > sizeof state.input) {
        say_three("e-[The network's input takes ", input_bytes(), " bytes]\r\n");
    } else {
        state.expected = (uint32_t)expected;
        state.loaded = 0;
        say_three("m-[Expecting ", state.expected, " bytes]\r\n");
    }
}

static void take_bytes(const char *digits) {
    if (strlen(digits) % 2u) {
        fw_link_say("e-[Insufficient number of hex digits]\r\n");
        return;
    }
    for (; *digits && state.loaded < state.expected; digits += 2) {
        const int32_t high = hex(digits[0]), low = hex(digits[1]);
        if (high < 0 || low < 0) {
            fw_link_say("e-[Invalid hex digit]\r\n");
            return;
        }
        state.input[state.loaded++] = (uint8_t)(16 * high + low);
        if (state.loaded == state.expected) fw_link_say("m-load-done\r\n");
    }
}

static void print_bytes(void) {
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < state.expected; i++) {
        const char byte[] = {digits[state.input[i] >> 4], digits[state.input[i] & 15u], 0};
        fw_link_say(i % 8u ? "-" : "m-buffer-");
        fw_link_say(byte);
        if (i % 8u == 7u || i + 1 == state.expected) fw_link_say("\r\n");
    }
}

static void db(char *rest) {
    const char *const what = word(&rest);
    if (!what) {
        fw_link_say("e-[Command 'db' requires a subcommand]\r\n");
    } else if (!strcmp(what, "load")) {
        load(word(&rest));
    } else if (!strcmp(what, "print")) {
        print_bytes();
    } else {
        take_bytes(what);
    }
}

/* ---- Running ---- */

static float sent_feature(uint32_t i) {
    float value;
    memcpy(&value, state.input + 4 * i, sizeof value);
    return value;
}

static int8_t quantized(float value, const te_port *in) {
    const float scaled = value / in->scale;
    if (!(scaled > -1e6f)) return -128;
    if (scaled > 1e6f) return 127;
    const int32_t stored = (int32_t)(scaled + (scaled < 0 ? -0.5f : 0.5f)) + in->zero_point;
    return (int8_t)(stored < -128 ? -128 : stored > 127 ? 127 : stored);
}

/* A run consumes its input, so each gets it anew; the runner's time includes that. */
static void run_once(void) {
    const te_port *const in = &state.model->inputs[0];
    if (IS_ANOMALY) {
        for (uint32_t i = 0; i < in->bytes; i++) ((int8_t *)in->data)[i] = quantized(sent_feature(i), in);
    } else {
        memcpy(in->data, state.input, in->bytes);
        if (IS_PIXELS && in->dtype == TE_INT8)
            for (uint32_t i = 0; i < in->bytes; i++) ((uint8_t *)in->data)[i] ^= 0x80u; /* less 128 */
    }
    state.model->run();
    count();
}

static double output_value(uint32_t i) {
    const te_port *const out = &state.model->outputs[0];
    if (out->dtype == TE_FLOAT32) return ((const float *)out->data)[i];
    const int32_t stored =
        out->dtype == TE_UINT8 ? ((const uint8_t *)out->data)[i] : ((const int8_t *)out->data)[i];
    return (double)out->scale * (stored - out->zero_point);
}

/* Classes: the scores. Anomaly detection: the mean square by which the output misses the features. */
static void say_results(void) {
    const te_port *const out = &state.model->outputs[0];
    const uint32_t values = out->dtype == TE_FLOAT32 ? out->bytes / 4u : out->bytes;
    fw_link_say("m-results-[");
    if (IS_ANOMALY) {
        double sum = 0;
        for (uint32_t i = 0; i < values; i++) {
            const double miss = output_value(i) - (double)sent_feature(i);
            sum += miss * miss;
        }
        say_thousandths(sum / values);
    } else {
        for (uint32_t i = 0; i < values; i++) {
            if (i) fw_link_say(",");
            say_thousandths(output_value(i));
        }
    }
    fw_link_say("]\r\n");
}

static void infer(char *rest) {
    const char *const runs = word(&rest), *const warm_ups = word(&rest);
    const int32_t n = runs ? number_of(runs) : 1;
    const int32_t w = warm_ups ? number_of(warm_ups) : (int32_t)DEFAULT_WARM_UPS;
    if (n <= 0) {
        fw_link_say("e-[Inference iterations must be >0]\r\n");
        return;
    }
    if (w < 0) {
        fw_link_say("e-[Inference warmup must be >=0]\r\n");
        return;
    }
    if (state.loaded != input_bytes()) {
        say_three("e-[Load ", input_bytes(), " bytes first]\r\n");
        return;
    }
    fw_inference_drop(); /* what a frame has brought is lost */
    say_three("m-warmup-start-", (uint32_t)w, "\r\n");
    for (int32_t i = 0; i < w; i++) run_once();
    fw_link_say("m-warmup-done\r\n");
    say_three("m-infer-start-", (uint32_t)n, "\r\n");
    say_timestamp();
    for (int32_t i = 0; i < n; i++) run_once();
    say_timestamp();
    fw_link_say("m-infer-done\r\n");
    say_results();
}

/* ---- Commands ---- */

static void answer(char *rest) {
    const char *const name = word(&rest);
    if (!name) {
        fw_link_say("e-[Empty command]\r\n");
    } else if (!strcmp(name, "name")) {
        fw_link_say("m-name-dut-[tinyengine]\r\n");
    } else if (!strcmp(name, "profile")) {
        fw_link_say("m-profile-[ULPMark for tinyML Firmware V0.0.1]\r\nm-model-[");
        fw_link_say(MODEL);
        fw_link_say("]\r\n");
    } else if (!strcmp(name, "timestamp")) {
        say_timestamp();
    } else if (!strcmp(name, "db")) {
        db(rest);
    } else if (!strcmp(name, "infer")) {
        infer(rest);
    } else if (!strcmp(name, "results")) {
        say_results();
    } else if (!strcmp(name, "help")) {
        fw_link_say(
            "name, profile, timestamp, db load N, db HEX, db print, infer N [W=10], results, help\r\n");
    } else {
        fw_link_say("e-[Unknown command: ");
        fw_link_say(name);
        fw_link_say("]\r\n");
    }
}

void fw_mlperf_take(uint8_t byte) {
    if (byte == 0) {
        state.length = 0;
        return;
    }
    if (byte != '%') {
        if (byte < ' ' || byte >= 127u) return;
        if (state.length < LONGEST_COMMAND) state.command[state.length] = (char)byte;
        if (state.length <= LONGEST_COMMAND) state.length++;
        return;
    }
    if (state.length > LONGEST_COMMAND) {
        fw_link_say("e-[Command longer than 80 characters]\r\n");
    } else {
        state.command[state.length] = 0;
        answer(state.command);
    }
    state.length = 0;
    fw_link_say("m-ready\r\n");
}

void fw_mlperf_init(const te_model *model) {
    memset(&state, 0, sizeof state);
    state.model = model;
    state.last = hal_count();
    fw_link_say("m-timestamp-mode-performance\r\n");
    say_timestamp();
    fw_link_say("m-init-done\r\nm-ready\r\n");
}
#endif
