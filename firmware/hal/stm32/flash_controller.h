/* What the flash controllers of all STM32 have in common: keys, waiting, errors, erasing (RM0090 3.6 and 3.9, RM0433 4.3
 * and 4.9, RM0432 3.3 and 3.7, RM0456 7.3 and 7.9).
 *
 * Included after a driver's registers FLASH_KEYR, FLASH_CR, FLASH_SR and FLASH_CLEAR (whose ones clear the status), bits
 * CR_STRT, CR_LOCK, SR_BUSY, SR_ERRORS and SR_CLEARABLE, and LONGEST_MS of an operation.
 */
#ifndef STM32_FLASH_CONTROLLER_H
#define STM32_FLASH_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "../common/cortex_m.h"
#include "../hal.h"

#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu

static inline bool flash_wait_ready(void) {
    const uint32_t start = hal_millis();
    while (FLASH_SR & SR_BUSY) {
        if (hal_millis() - start > LONGEST_MS) return false;
    }
    return true;
}

/* Unlocked, idle, and no errors of the past. */
static inline bool flash_begin(void) {
    if (!flash_wait_ready()) return false;
    if (FLASH_CR & CR_LOCK) {
        FLASH_KEYR = KEY1;
        FLASH_KEYR = KEY2;
    }
    FLASH_CLEAR = SR_CLEARABLE;
    return !(FLASH_CR & CR_LOCK);
}

static inline bool flash_succeeded(void) {
    barrier(); /* the request has left before it is looked after */
    return flash_wait_ready() && !(FLASH_SR & SR_ERRORS);
}

/* request: bits of the control register that say what to erase. */
static inline bool flash_erase(uint32_t request) {
    FLASH_CR = request;
    FLASH_CR |= CR_STRT;
    return flash_succeeded();
}

#endif
