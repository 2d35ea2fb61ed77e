/* Millisecond tick, sleep, reset and stack statistics: the same on every Cortex-M. */
#include "system.h"
#include "cortex_m.h"
#include "hal.h"
#include "serial.h"
#include "startup.h"

#include "board.h"

static volatile uint32_t milliseconds;

void hal_system_tick_handler(void) {
    milliseconds++;
}

void hal_system_tick_start(uint32_t core_hz) {
    SYST_CSR = 0;
    SYST_RVR = core_hz / 1000u - 1u;
    SYST_CVR = 0;
    SYST_CSR = SYST_CSR_CLKSOURCE_CORE | SYST_CSR_TICKINT | SYST_CSR_ENABLE;
}

bool hal_system_wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value) {
    /* The slowest thing waited for is a crystal, some milliseconds; a million reads take longer than 30 ms
     * even at the full clock. */
    for (uint32_t tries = 0; tries < 1000000u; tries++) {
        if ((*reg & mask) == value) return true;
    }
    return false;
}

const char *hal_board(void) {
    return BOARD_NAME;
}

uint32_t hal_millis(void) {
    return milliseconds;
}

void hal_wait(void) {
    /* With interrupts masked a byte that arrives between the check and the sleep still ends the sleep. */
    interrupts_off();
    if (hal_serial_ring_empty()) wait_for_interrupt();
    interrupts_on();
    hal_watchdog_feed();
}

uint32_t hal_stack_size(void) {
    return (uint32_t)(_stack_top - _stack_bottom) * (uint32_t)sizeof(uint32_t);
}

uint32_t hal_stack_used(void) {
    const volatile uint32_t *p = _stack_bottom;
    while (p < _stack_top && *p == STACK_PAINT) p++;
    return (uint32_t)(_stack_top - p) * (uint32_t)sizeof(uint32_t);
}

void hal_reset(void) {
    barrier();
    SCB_AIRCR = SCB_AIRCR_SYSRESETREQ;
    barrier();
    for (;;) {
    } /* the request takes effect within a few cycles */
}
