/* What the driver of an ArduCAM Mini 2MP needs of a board, besides common/spi.h and common/i2c.h. */
#ifndef ARDUCAM_H
#define ARDUCAM_H

#include <stdbool.h>

/* Clocks and pins of both buses, and the buses. The camera is not selected. */
void hal_arducam_connect(void);

/* Drives the pin that selects the camera's chip on the SPI. */
void hal_arducam_select(bool on);

#endif
