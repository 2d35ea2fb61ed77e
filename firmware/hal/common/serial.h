/* The host's serial port between the UART's interrupt and the application. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>

void hal_serial_interrupt_handler(void);
bool hal_serial_ring_empty(void);

#endif
