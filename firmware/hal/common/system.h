/* What the family-specific part of the HAL calls and provides; the application sees only hal.h. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

/* Starts the millisecond tick from the core clock. */
void hal_system_tick_start(uint32_t core_hz);

/* Waits until (*reg & mask) == value, for a bounded number of reads; false: it did not happen. */
bool hal_system_wait_for(const volatile uint32_t *reg, uint32_t mask, uint32_t value);

/* Starts what hal_count reads. */
void hal_counter_start(uint32_t core_hz);

/* Puts the watchdog's end off, where the board has one. */
void hal_watchdog_feed(void);

/* Instruction and data cache of a Cortex-M7. */
void hal_cache_enable(void);

/* Drops what the data cache holds of these addresses, which something else than the core has changed. Nothing
 * may have been written there through the cache. No effect where there is no cache. */
void hal_cache_forget(uint32_t address, uint32_t bytes);

#endif
