/* Sensors of cameras, as tables: where they answer, who they are, what is written to them. They are set up over SCCB,
 * which is I2C whose reads end the writing of the register's address with a stop.
 *
 * Each delivers 320 x 240 pixels of RGB565, the more significant byte first; data change with the falling edge of the
 * pixel clock, HREF is high while they are valid, VSYNC is high between pictures. */
#ifndef SENSOR_H
#define SENSOR_H

#include <stdbool.h>

#include "../camera.h"

#define HAL_SENSOR_WIDTH 320u
#define HAL_SENSOR_HEIGHT 240u
#define HAL_SENSOR_PIXEL_BYTES 2u
#define HAL_SENSOR_MOST_PACES 4u

typedef struct hal_sensor_register {
    uint16_t address;
    uint8_t value;
} hal_sensor_register;

typedef struct hal_sensor {
    const char *name;
    uint8_t i2c;                     /* address, 7 bits */
    uint8_t address_bytes;           /* of a register: 1 or 2 */
    const hal_sensor_register *bank; /* makes visible what follows; NULL: always is */
    hal_sensor_register identity[2]; /* what two registers hold */
    hal_sensor_register reset;       /* puts all others back */
    const hal_sensor_register *settings;
    uint16_t n_settings;
    uint16_t pace; /* register of the pixel clock, after `bank` */
    uint8_t n_paces,
        paces[HAL_SENSOR_MOST_PACES]; /* its values: each makes the clock half as fast as the one before */
} hal_sensor;

extern const hal_sensor hal_sensor_ov2640, hal_sensor_ov5640, hal_sensor_ov7725;

/* Which of these sensors answers and has its identity. SILENT or UNKNOWN: none, and *found stays. */
hal_camera_status hal_sensor_find(const hal_sensor *const *sensors, uint32_t count, const hal_sensor **found);

/* Resets it and writes its settings; REFUSED where it does not acknowledge. */
hal_camera_status hal_sensor_set_up(const hal_sensor *sensor);

/* One of its paces, the first is the fastest; false: not acknowledged. */
bool hal_sensor_set_pace(const hal_sensor *sensor, uint32_t pace);

/* What it delivers. */
void hal_sensor_describe(hal_camera_picture *picture);

/* Waits for at least so long. */
void hal_sensor_wait_ms(uint32_t milliseconds);

#endif
