/* The host's serial port: one receive ring, filled by the interrupt and emptied by hal_serial_read.
 *
 * When the ring is full the reception interrupt is masked and bytes stay in the peripheral. A simulated
 * UART then makes the sender wait, so nothing is lost; a real one overruns, which it reports and
 * hal_serial_lost counts.
 */
#include "serial.h"
#include "cortex_m.h"
#include "hal.h"
#include "system.h"
#include "uart.h"

#include "board.h"

_Static_assert((HAL_SERIAL_RING & (HAL_SERIAL_RING - 1u)) == 0,
               "head and tail wrap, so the size is a power of two");

/* head: bytes put in so far, written with the interrupt masked; tail:
 * bytes taken so far, written by the reader. */
static uint8_t ring[HAL_SERIAL_RING];
static volatile uint32_t head, tail, lost;
static volatile bool full; /* the reception interrupt is off */

/* At the interrupt controller, not at the peripheral: whatever the peripheral requests meanwhile stays
 * pending, and a request that nobody may answer (the ring is full) cannot hold the core in the handler.
 * QEMU's STM32 USART keeps its request up even after its own enable bit is cleared. */
static void receive_interrupt(bool enabled) {
    if (enabled)
        nvic_enable(BOARD_UART(IRQ));
    else
        nvic_disable(BOARD_UART(IRQ));
}

/* Moves what the peripheral holds into the ring. Runs in the interrupt, or with interrupts masked. */
static void fill_ring(void) {
    uint8_t byte;
    while (head - tail < HAL_SERIAL_RING && hal_uart_take(&byte)) {
        ring[head % HAL_SERIAL_RING] = byte;
        head++;
    }
    lost += hal_uart_overruns();
    full = head - tail == HAL_SERIAL_RING;
    receive_interrupt(!full);
}

void hal_serial_interrupt_handler(void) {
    fill_ring();
}

bool hal_serial_ring_empty(void) {
    return head == tail;
}

size_t hal_serial_read(uint8_t *buffer, size_t max) {
    size_t count = head - tail;
    if (count > max) count = max;
    compiler_barrier(); /* the ring is read after `head` and before `tail` gives its bytes free */
    for (size_t i = 0; i < count; i++) buffer[i] = ring[(tail + i) % HAL_SERIAL_RING];
    compiler_barrier();
    tail += count;
    /* Asked only now: the interrupt may have filled the ring while we copied. */
    if (full && count) {
        interrupts_off();
        /* On before draining: a byte that comes meanwhile leaves its request pending. */
        receive_interrupt(true);
        fill_ring();
        interrupts_on();
    }
    return count;
}

uint32_t hal_serial_lost(void) {
    interrupts_off();
    const uint32_t count = lost;
    lost = 0;
    interrupts_on();
    return count;
}

void hal_serial_write(const uint8_t *buffer, size_t length) {
    for (size_t i = 0; i < length && hal_uart_send(buffer[i]); i++) {
    }
    hal_watchdog_feed();
}

bool hal_serial_set_baud(uint32_t baud) {
    return hal_uart_set_baud(baud);
}
