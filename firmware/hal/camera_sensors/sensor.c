#include "sensor.h"

#include "../common/i2c.h"
#include "../hal.h"

/* The slowest sensor takes 5 ms until its registers can be written after a reset (OV5640, 2.7). */
#define RESET_MS 20u
/* Exposure and white balance begin from nothing; what comes before is not worth looking at. */
#define SETTLE_MS 300u

void hal_sensor_wait_ms(uint32_t milliseconds) {
    const uint32_t start = hal_millis();
    while (hal_millis() - start <= milliseconds) hal_wait();
}

static uint32_t put_address(const hal_sensor *sensor, uint16_t address, uint8_t *bytes) {
    if (sensor->address_bytes == 1u) {
        bytes[0] = (uint8_t)address;
        return 1u;
    }
    bytes[0] = (uint8_t)(address >> 8);
    bytes[1] = (uint8_t)address;
    return 2u;
}

static bool write_register(const hal_sensor *sensor, hal_sensor_register what) {
    uint8_t bytes[3];
    const uint32_t count = put_address(sensor, what.address, bytes);
    bytes[count] = what.value;
    return hal_i2c_write(sensor->i2c, bytes, count + 1u);
}

static bool read_register(const hal_sensor *sensor, uint16_t address, uint8_t *value) {
    uint8_t bytes[2];
    return hal_i2c_write(sensor->i2c, bytes, put_address(sensor, address, bytes)) &&
           hal_i2c_read(sensor->i2c, value);
}

static bool select_bank(const hal_sensor *sensor) {
    return !sensor->bank || write_register(sensor, *sensor->bank);
}

static hal_camera_status identify(const hal_sensor *sensor) {
    if (!select_bank(sensor)) return HAL_CAMERA_SILENT;
    for (uint32_t i = 0; i < 2u; i++) {
        uint8_t value;
        if (!read_register(sensor, sensor->identity[i].address, &value)) return HAL_CAMERA_SILENT;
        if (value != sensor->identity[i].value) return HAL_CAMERA_UNKNOWN;
    }
    return HAL_CAMERA_OK;
}

hal_camera_status hal_sensor_find(const hal_sensor *const *sensors, uint32_t count,
                                  const hal_sensor **found) {
    hal_camera_status status = HAL_CAMERA_SILENT;
    for (uint32_t i = 0; i < count; i++) {
        const hal_camera_status answer = identify(sensors[i]);
        if (answer == HAL_CAMERA_OK) {
            *found = sensors[i];
            return answer;
        }
        if (answer == HAL_CAMERA_UNKNOWN) status = answer;
    }
    return status;
}

hal_camera_status hal_sensor_set_up(const hal_sensor *sensor) {
    if (!select_bank(sensor) || !write_register(sensor, sensor->reset)) return HAL_CAMERA_REFUSED;
    hal_sensor_wait_ms(RESET_MS);
    for (uint32_t i = 0; i < sensor->n_settings; i++) {
        if (!write_register(sensor, sensor->settings[i])) return HAL_CAMERA_REFUSED;
    }
    if (!hal_sensor_set_pace(sensor, 0)) return HAL_CAMERA_REFUSED;
    hal_sensor_wait_ms(SETTLE_MS);
    return HAL_CAMERA_OK;
}

bool hal_sensor_set_pace(const hal_sensor *sensor, uint32_t pace) {
    const hal_sensor_register what = {sensor->pace, sensor->paces[pace]};
    return select_bank(sensor) && write_register(sensor, what);
}

void hal_sensor_describe(hal_camera_picture *picture) {
    picture->width = HAL_SENSOR_WIDTH;
    picture->height = HAL_SENSOR_HEIGHT;
    picture->pixels = &te_rgb565be;
    picture->format = "rgb565be";
}
