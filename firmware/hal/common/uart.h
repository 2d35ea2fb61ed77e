/* What a UART driver provides to serial.c: the host's port, polled for sending,
 * by interrupt for receiving. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the port at 115200 baud 8N1 with reception interrupts; its pins and bus clock are already set up. */
void hal_uart_start(uint32_t clock_hz);

/* The next received byte; false: none is there. Counts overruns on the way. */
bool hal_uart_take(uint8_t *byte);

/* Received bytes the peripheral had to drop since the last call (as far as it tells: at least one each). */
uint32_t hal_uart_overruns(void);

/* Hands one byte to the peripheral, waiting for room; false: none came, as of a port that is not started. */
bool hal_uart_send(uint8_t byte);

/* Waits until the last bit has left the wire, then changes the rate;
 * false and unchanged if it can't be reached. */
bool hal_uart_set_baud(uint32_t baud);

/* clock / baud rounded to nearest, or 0 if the resulting rate is off by more than 2 % or the divider is
 * outside minimum..maximum. */
static inline uint32_t uart_divider(uint32_t clock_hz, uint32_t baud, uint32_t minimum, uint32_t maximum) {
    if (baud == 0u || baud > clock_hz) return 0;
    const uint32_t divider = (clock_hz + baud / 2u) / baud;
    if (divider < minimum || divider > maximum) return 0;
    const uint32_t actual = clock_hz / divider;
    const uint32_t difference = actual > baud ? actual - baud : baud - actual;
    return difference <= baud / 50u ? divider : 0;
}

#endif
