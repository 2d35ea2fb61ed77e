/* The board's camera: one picture at a time, line by line, so that no frame is ever in SRAM. One driver per way that a
 * camera is connected, in hal/<driver>/; boards that name none have common/camera_none.c.
 *
 * A line has the bytes that te_image_push takes, so a picture goes straight into a network:
 *
 *     hal_camera_picture picture;
 *     if (hal_camera_start(&picture) != HAL_CAMERA_OK) ...
 *     const te_image_source source = {.pixels = picture.pixels, .width = picture.width, .height = picture.height};
 *     te_image_open(&image, &network_image, &source, memory, sizeof memory);   // once
 *
 *     te_image_feed(&image, &network);                                         // each picture
 *     if (hal_camera_capture(take, &image) == HAL_CAMERA_OK) network.finish();
 *     static void take(void *context, uint32_t row, const uint8_t *line) { te_image_push(context, line, 1); }
 *
 * Where the camera sets the pace (a parallel bus), `take` has the time of a line on average and the lines of the driver's
 * ring to be late by. Whoever is slower gets HAL_CAMERA_OVERRUN and no further line: a picture is whole, or an error.
 */
#ifndef CAMERA_H
#define CAMERA_H

#include <stdint.h>

#include "tinyengine/te_image.h"

typedef enum hal_camera_status {
    HAL_CAMERA_OK,
    HAL_CAMERA_NONE,     /* the board has no camera, or a simulator was started without pictures for it */
    HAL_CAMERA_SILENT,   /* nothing answers where the camera should: not plugged in, no power, no clock */
    HAL_CAMERA_UNKNOWN,  /* something answers, but with the identity of no camera that the board names */
    HAL_CAMERA_REFUSED,  /* the camera answered, and then not any more while it was set up */
    HAL_CAMERA_STOPPED,  /* captured before hal_camera_start, or after it failed */
    HAL_CAMERA_NO_FRAME, /* no picture began or ended within a second */
    HAL_CAMERA_OVERRUN, /* the taker of lines was too slow: the camera runs at half its pace from now on, ask again */
    HAL_CAMERA_TOO_FAST, /* the same, and the camera is at its slowest: a smaller network, or smaller pictures */
    HAL_CAMERA_TORN,     /* lines or bytes of lines are missing, or too many: noise, or a wrong wire */
    HAL_CAMERA_BUS,      /* the bus that brings the pixels reported an error */
} hal_camera_status;

/* What each capture delivers. */
typedef struct hal_camera_picture {
    uint16_t width, height;
    const te_pixels *pixels; /* of te_image.h */
    const char *format;      /* its name without te_, as the host's data/pixels.py has it: "rgb565be" */
} hal_camera_picture;

/* Takes line `row` (0 is the uppermost), which is there until it returns. */
typedef void (*hal_camera_line)(void *context, uint32_t row, const uint8_t *line);

/* For a person, such as "OV7725"; "" if there is none. Which of several a board has is known after the start. */
const char *hal_camera_name(void);

/* Power, reset, identity, registers: takes some tenths of a second, blocks. *picture is written if it answers OK. Again:
 * starts anew. */
hal_camera_status hal_camera_start(hal_camera_picture *picture);

/* The next picture that begins: `take` has got every line once, in order, when this answers OK. After anything else
 * what it has got is no picture, and the next capture may succeed. */
hal_camera_status hal_camera_capture(hal_camera_line take, void *context);

#endif
