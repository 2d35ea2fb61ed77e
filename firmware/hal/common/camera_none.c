/* Of boards without a camera: a driver's functions take the place of these. */
#include "../camera.h"

#define OTHERWISE __attribute__((weak))

OTHERWISE const char *hal_camera_name(void) {
    return "";
}

OTHERWISE hal_camera_status hal_camera_start(hal_camera_picture *picture) {
    (void)picture;
    return HAL_CAMERA_NONE;
}

OTHERWISE hal_camera_status hal_camera_capture(hal_camera_line take, void *context) {
    (void)take;
    (void)context;
    return HAL_CAMERA_NONE;
}
