/* What an SPI driver provides: a master of mode 0, eight bits, the highest first, polled, on the unit that
 * BOARD_CAMERA_SPI names. Every wait is bounded. */
#ifndef SPI_H
#define SPI_H

#include <stdbool.h>
#include <stdint.h>

/* clock_hz: of the unit, whose pins and bus clock are already set up; the bus runs at most_hz or less. */
void hal_spi_start(uint32_t clock_hz, uint32_t most_hz);

/* Sends the bytes and puts in their place what came back; false: the unit stands still. */
bool hal_spi_exchange(uint8_t *bytes, uint32_t count);

#endif
