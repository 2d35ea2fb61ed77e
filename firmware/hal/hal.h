/* Hardware abstraction: everything the application needs from a board. One implementation per family in
 * hal/<family>/.
 */
#ifndef HAL_H
#define HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Clocks, FPU, caches, counter and the host serial port at 115200 baud 8N1. Called once, first. */
void hal_init(void);

/* Board name as in boards/<name>.json. */
const char *hal_board(void);

/* Bytes received and not yet taken, at most max; returns how many were copied (0: none there). Never blocks.
 * The receive ring holds at least HAL_SERIAL_RING bytes. */
#define HAL_SERIAL_RING 4096u
size_t hal_serial_read(uint8_t *buffer, size_t max);

/* Received bytes lost since the last call (ring full, or overrun flagged by the peripheral). */
uint32_t hal_serial_lost(void);

/* Sends; blocks until all bytes are handed to the peripheral. */
void hal_serial_write(const uint8_t *buffer, size_t length);

/* Waits until everything has left the wire, then changes the rate. False: the rate can't be reached within
 * 2 %. */
bool hal_serial_set_baud(uint32_t baud);

/* Sleeps until something may have happened: a received byte or the millisecond tick. */
void hal_wait(void);

/* Milliseconds since hal_init, wraps. */
uint32_t hal_millis(void);

/* Free-running 32-bit counter for measurements and what one count means: "instructions" on a simulated board
 * whose simulator counts them, "cycles" on hardware, and its rate in counts per second. */
uint32_t hal_count(void);
const char *hal_count_unit(void);
uint32_t hal_count_rate(void);

/* Bytes of stack used at most since reset (the start-up code paints the stack), and its size. */
uint32_t hal_stack_used(void);
uint32_t hal_stack_size(void);

/* Restarts the application. */
void hal_reset(void) __attribute__((noreturn));

#endif
