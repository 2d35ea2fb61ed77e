/* The camera of a simulated board: a file of the host, whose pictures it sees one after the other, again and again.
 * The simulator's command line for us has a line "camera=" with its path; without one there is no camera.
 *
 * A picture is HEIGHT lines of WIDTH pixels, red, green, blue (host/tinyengine/sim/camera_file.py writes it).
 */
#include "../camera.h"

#include <stdbool.h>
#include <stddef.h>

#include "../common/semihost.h"

#include "board.h"

#define WIDTH ((uint32_t)BOARD_CAMERA_WIDTH)
#define HEIGHT (WIDTH * 3u / 4u)
#define LINE_BYTES (WIDTH * 3u)
#define PICTURE_BYTES (HEIGHT * LINE_BYTES)

static int32_t file = -1;
static uint32_t pictures, next;

static bool opened(void) {
    if (file < 0) {
        file = hal_semihost_open("camera=");
        pictures = file < 0 ? 0 : (uint32_t)hal_semihost_length(file) / PICTURE_BYTES;
    }
    return pictures > 0;
}

const char *hal_camera_name(void) {
    return opened() ? "pictures" : "";
}

hal_camera_status hal_camera_start(hal_camera_picture *picture) {
    if (!opened()) return HAL_CAMERA_NONE;
    *picture = (hal_camera_picture){
        .width = (uint16_t)WIDTH, .height = (uint16_t)HEIGHT, .pixels = &te_rgb888, .format = "rgb888"};
    next = 0;
    return HAL_CAMERA_OK;
}

hal_camera_status hal_camera_capture(hal_camera_line take, void *context) {
    static uint8_t line[LINE_BYTES];
    if (!pictures) return HAL_CAMERA_STOPPED;
    const uint32_t first = next % pictures * HEIGHT;
    next++;
    for (uint32_t row = 0; row < HEIGHT; row++) {
        if (!hal_semihost_read(file, (first + row) * LINE_BYTES, line, sizeof line)) return HAL_CAMERA_BUS;
        take(context, row, line);
    }
    return HAL_CAMERA_OK;
}
