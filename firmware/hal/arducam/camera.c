/* ArduCAM Mini 2MP and 2MP Plus: an OV2640, which is set up over I2C, in front of a chip that keeps a picture in a memory
 * of its own, from where it is read over SPI as slowly as one likes (ArduCAM's "ArduCAM-M-2MP Camera Shield" hardware
 * and SPI guides). So no taker of lines is ever too slow for it. */
#include "../camera.h"
#include "../camera_sensors/sensor.h"
#include "../common/i2c.h"
#include "../common/spi.h"
#include "../hal.h"
#include "arducam.h"

#include "board.h"

/* Registers of the chip; bit 7 of the address writes. */
enum {
    TEST = 0x00,    /* holds what is written */
    FRAMES = 0x01,  /* pictures less one that a start takes */
    CONTROL = 0x04, /* of the memory */
    SYSTEM = 0x07,
    BURST = 0x3C, /* byte after byte of the memory, while selected */
    TRIGGER = 0x41,
    SIZE = 0x42, /* and the two behind it, lowest bits first */
    WRITE = 0x80,
};
#define CONTROL_CLEAR_DONE 0x01u
#define CONTROL_START 0x02u
#define CONTROL_REWIND 0x30u /* both pointers of the memory */
#define SYSTEM_RESET 0x80u
#define TRIGGER_DONE 0x08u
#define SIZE_HIGHEST 0x7Fu

#define RESET_MS 100u
#define LONGEST_MS 1000u /* for a picture */
#define LINE_BYTES (HAL_SENSOR_WIDTH * HAL_SENSOR_PIXEL_BYTES)
#define PICTURE_BYTES (HAL_SENSOR_HEIGHT * LINE_BYTES)
/* The chip counts a few bytes more than the sensor has sent; a whole line more is another picture. */
#define MOST_BYTES (PICTURE_BYTES + LINE_BYTES)

static bool started;

static bool transfer(uint8_t *bytes, uint32_t count) {
    hal_arducam_select(true);
    const bool done = hal_spi_exchange(bytes, count);
    hal_arducam_select(false);
    return done;
}

static bool put(uint8_t address, uint8_t value) {
    uint8_t bytes[2] = {address | WRITE, value};
    return transfer(bytes, sizeof bytes);
}

static bool get(uint8_t address, uint8_t *value) {
    uint8_t bytes[2] = {address, 0};
    const bool done = transfer(bytes, sizeof bytes);
    *value = bytes[1];
    return done;
}

static bool holds(uint8_t value) {
    uint8_t found = (uint8_t)~value;
    return put(TEST, value) && get(TEST, &found) && found == value;
}

const char *hal_camera_name(void) {
    return "ArduCAM Mini 2MP";
}

hal_camera_status hal_camera_start(hal_camera_picture *picture) {
    static const hal_sensor *const known[] = {&hal_sensor_ov2640};
    const hal_sensor *found;
    started = false;
    hal_arducam_connect();
    if (!holds(0x55) || !holds(0xAA)) return HAL_CAMERA_SILENT;
    if (!put(SYSTEM, SYSTEM_RESET)) return HAL_CAMERA_BUS;
    hal_sensor_wait_ms(RESET_MS);
    if (!put(SYSTEM, 0)) return HAL_CAMERA_BUS;
    hal_sensor_wait_ms(RESET_MS);
    hal_camera_status status = hal_sensor_find(known, 1, &found);
    if (status == HAL_CAMERA_OK) status = hal_sensor_set_up(found);
    if (status != HAL_CAMERA_OK) return status;
    if (!put(FRAMES, 0)) return HAL_CAMERA_BUS;
    hal_sensor_describe(picture);
    started = true;
    return HAL_CAMERA_OK;
}

/* From here on the next whole picture goes into the chip's memory. */
static hal_camera_status take_picture(void) {
    if (!put(CONTROL, CONTROL_CLEAR_DONE) || !put(CONTROL, CONTROL_REWIND) || !put(CONTROL, CONTROL_START))
        return HAL_CAMERA_BUS;
    const uint32_t since = hal_millis();
    for (;;) {
        uint8_t trigger;
        if (!get(TRIGGER, &trigger)) return HAL_CAMERA_BUS;
        if (trigger & TRIGGER_DONE) return HAL_CAMERA_OK;
        if (hal_millis() - since > LONGEST_MS) return HAL_CAMERA_NO_FRAME;
        hal_wait();
    }
}

static hal_camera_status check_size(void) {
    uint8_t low, middle, high;
    if (!get(SIZE, &low) || !get(SIZE + 1, &middle) || !get(SIZE + 2, &high)) return HAL_CAMERA_BUS;
    const uint32_t bytes = low | (uint32_t)middle << 8 | (uint32_t)(high & SIZE_HIGHEST) << 16;
    return bytes >= PICTURE_BYTES && bytes < MOST_BYTES ? HAL_CAMERA_OK : HAL_CAMERA_TORN;
}

static hal_camera_status hand_over(hal_camera_line take, void *context) {
    static uint8_t line[LINE_BYTES];
    uint8_t burst[1u + BOARD_CAMERA_IDLE_BYTES] = {BURST};
    if (!hal_spi_exchange(burst, sizeof burst)) return HAL_CAMERA_BUS;
    for (uint32_t row = 0; row < HAL_SENSOR_HEIGHT; row++) {
        if (!hal_spi_exchange(line, sizeof line)) return HAL_CAMERA_BUS; /* what is sent means nothing */
        take(context, row, line);
    }
    return HAL_CAMERA_OK;
}

hal_camera_status hal_camera_capture(hal_camera_line take, void *context) {
    if (!started) return HAL_CAMERA_STOPPED;
    hal_camera_status status = take_picture();
    if (status == HAL_CAMERA_OK) status = check_size();
    if (status != HAL_CAMERA_OK) return status;
    hal_arducam_select(true);
    status = hand_over(take, context);
    hal_arducam_select(false);
    return status;
}
