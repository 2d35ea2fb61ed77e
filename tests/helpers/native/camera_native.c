/* The camera of a device on the host: HEIGHT lines of WIDTH pixels of RGB565 whose bytes count up. What it answers, capture by
 * capture and start by start, are the numbers in the environment's NATIVE_CAMERA, then OK. A picture that fails ends in
 * its middle. */
#include "camera.h"

#include <stdlib.h>

#define WIDTH 64u
#define HEIGHT 48u

static const char *says;

static hal_camera_status next(void) {
    if (!says) {
        says = getenv("NATIVE_CAMERA");
        if (!says) says = "";
    }
    char *rest;
    const long status = strtol(says, &rest, 10);
    says = rest;
    return (hal_camera_status)status;
}

const char *hal_camera_name(void) {
    return "native";
}

hal_camera_status hal_camera_start(hal_camera_picture *picture) {
    *picture =
        (hal_camera_picture){.width = WIDTH, .height = HEIGHT, .pixels = &te_rgb565be, .format = "rgb565be"};
    return next();
}

hal_camera_status hal_camera_capture(hal_camera_line take, void *context) {
    const hal_camera_status status = next();
    for (uint32_t row = 0; row < (status ? HEIGHT / 2 : HEIGHT); row++) {
        uint8_t line[2 * WIDTH];
        for (uint32_t k = 0; k < sizeof line; k++) line[k] = (uint8_t)(row * sizeof line + k + status);
        take(context, row, line);
    }
    return status;
}
