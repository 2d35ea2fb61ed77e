#include "look.h"

#include "camera.h"
#include "hal.h"
#include "inference.h"

#if __has_include("board.h")
#include "board.h"
#endif
#if __has_include("network_image.h") /* the network takes pictures, and its MODEL.json says how */
#include "network_image.h"
#endif

#if defined(BOARD_CAMERA_WIDTH) && defined(NETWORK_IMAGE_WIDTH)

#define ATTEMPTS                                                                                             \
    8u /* pictures that may be lost one after the other: a camera that is too fast halves its pace each time */

enum { LOOK_PICTURE = 2 };    /* flag beside those of RUN: also the picture, as the network sees it */
enum { LOOK_TOO_WIDE = 128 }; /* outcome, beside those of camera.h */

static struct {
    const te_model *model;
    bool started;
    uint32_t last_ms;
} state;

/* Between a line of the camera and a row of the input: all that is ever there of a picture. */
static uint32_t camera_lines[(TE_IMAGE_BYTES(BOARD_CAMERA_WIDTH, NETWORK_IMAGE_WIDTH) + 3u) / 4u];
static te_image image;

typedef struct looking {
    bool sends;
    uint32_t row_bytes, offset;
    uint32_t count;   /* ticks of computing */
    uint32_t resting; /* of them, those that were spent on the line to the host */
} looking;

static void take_row(void *context, const int8_t *values) {
    looking *look = context;
    if (look->sends) {
        const uint32_t start = hal_count();
        fw_protocol_piece(look->offset, (const uint8_t *)values, look->row_bytes);
        look->offset += look->row_bytes;
        look->resting += hal_count() - start;
    }
    state.model->push_rows(values, 1);
}

static void take_line(void *context, uint32_t row, const uint8_t *line) {
    (void)row;
    looking *look = context;
    const uint32_t start = hal_count();
    te_image_push(&image, line, 1);
    look->count += hal_count() - start;
}

static hal_camera_status start(bool *too_wide) {
    hal_camera_picture picture;
    const hal_camera_status found = hal_camera_start(&picture);
    if (found != HAL_CAMERA_OK) return found;
    const te_image_source source = {
        .pixels = picture.pixels, .width = picture.width, .height = picture.height};
    *too_wide =
        te_image_open(&image, &network_image, &source, camera_lines, sizeof camera_lines) != TE_IMAGE_READY;
    state.started = !*too_wide;
    return HAL_CAMERA_OK;
}

static hal_camera_status capture(looking *look) {
    hal_camera_status seen = HAL_CAMERA_OVERRUN;
    for (uint32_t k = 0; k < ATTEMPTS && seen == HAL_CAMERA_OVERRUN; k++) {
        look->offset = look->count = look->resting = 0;
        fw_inference_begin_rows();
        te_image_begin(&image, take_row, look);
        seen = hal_camera_capture(take_line, look);
    }
    return seen;
}

void fw_look_init(const te_model *model) {
    state.model = model;
    state.started = false;
    state.last_ms = 0;
}

bool fw_look_supported(void) {
    return state.model->push_rows && hal_camera_name()[0];
}

/* Request: flags. Answer: outcome, three zeros; if that is 0, what RUN answers. */
status fw_look(const uint8_t *request, uint32_t length, writer *answer) {
    (void)length;
    if (!fw_look_supported() || !fw_inference_can(request[0] & ~(uint32_t)LOOK_PICTURE))
        return STATUS_UNSUPPORTED;
    const uint32_t since = hal_millis();
    looking look = {.sends = request[0] & LOOK_PICTURE,
                    .row_bytes = NETWORK_IMAGE_WIDTH * (uint32_t)network_image.channels};
    bool too_wide = false;
    hal_camera_status seen = HAL_CAMERA_OK;
    fw_protocol_busy(state.last_ms);
    if (!state.started) seen = start(&too_wide);
    if (seen == HAL_CAMERA_OK && !too_wide) seen = capture(&look);
    put_u32(answer, too_wide ? LOOK_TOO_WIDE : (uint32_t)seen);
    if (seen != HAL_CAMERA_OK || too_wide) {
        /* A new start puts the pace back; anything else may want one. */
        state.started = state.started && (seen == HAL_CAMERA_TORN || seen == HAL_CAMERA_OVERRUN);
        return STATUS_OK;
    }
    fw_inference_finish_rows(request[0], look.count - look.resting, since, answer);
    state.last_ms = hal_millis() - since;
    return STATUS_OK;
}

#else

void fw_look_init(const te_model *model) {
    (void)model;
}

bool fw_look_supported(void) {
    return false;
}

status fw_look(const uint8_t *request, uint32_t length, writer *answer) {
    (void)request;
    (void)length;
    (void)answer;
    return STATUS_UNSUPPORTED;
}

#endif
