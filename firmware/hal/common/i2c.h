/* What an I2C driver provides: a master at 100 kHz, polled, on the unit that BOARD_CAMERA_I2C names. Every wait is
 * bounded; after a failure the bus is free again. */
#ifndef I2C_H
#define I2C_H

#include <stdbool.h>
#include <stdint.h>

/* clock_hz: of the unit, whose pins and bus clock are already set up. Again: starts anew, whatever hung. */
void hal_i2c_start(uint32_t clock_hz);

/* Sends the bytes, at least one, to the device of this address (7 bits); false: it did not acknowledge each, or the bus
 * is stuck. */
bool hal_i2c_write(uint8_t address, const uint8_t *bytes, uint32_t count);

/* One byte from it. */
bool hal_i2c_read(uint8_t address, uint8_t *byte);

#endif
