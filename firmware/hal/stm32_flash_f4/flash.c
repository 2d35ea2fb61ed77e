/* Flash controller of the STM32F4 (RM0090 3.6 to 3.9, RM0386 3.6 to 3.9) and STM32F7 (RM0385 3.3 to 3.7): words of 32
 * bits (which wants 2.7 to 3.6 V).
 *
 * The core stands still while it would fetch from the flash during an operation, so the loops that wait
 * mostly run once, after it.
 */
#include "../flash.h"

#include <stdbool.h>
#include <string.h>

#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../hal.h"

#include "board.h"

#include "../common/slots.h"

#define FLASH_ACR REG32(0x40023C00u)
#define FLASH_KEYR REG32(0x40023C04u)
#define FLASH_SR REG32(0x40023C0Cu)
#define FLASH_CR REG32(0x40023C10u)
#define ACR_DCEN BIT(10) /* the data cache of the STM32F4; reserved and 0 on the STM32F7, as DCRST */
#define ACR_DCRST BIT(12)
#define KEY1 0x45670123u
#define KEY2 0xCDEF89ABu
/* OPERR, WRPERR, PGAERR, PGPERR, and PGSERR or ERSERR */
#define SR_ERRORS (BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7))
#define SR_BSY BIT(16)
#define CR_PG BIT(0)
#define CR_SER BIT(1)
#define CR_SNB(sector) ((uint32_t)(sector) << 3) /* bit 4 of the number is the bank */
#define CR_PSIZE_X32 (2u << 8)
#define CR_STRT BIT(16)
#define CR_LOCK BIT(31)

#define LONGEST_MS 8000u /* twice the longest erase in the data sheets */

static bool wait_ready(void) {
    const uint32_t start = hal_millis();
    while (FLASH_SR & SR_BSY) {
        if (hal_millis() - start > LONGEST_MS) return false;
    }
    return true;
}

/* Unlocked, idle, and no errors of the past. */
static bool begin(void) {
    if (!wait_ready()) return false;
    if (FLASH_CR & CR_LOCK) {
        FLASH_KEYR = KEY1;
        FLASH_KEYR = KEY2;
    }
    FLASH_SR = SR_ERRORS; /* cleared by ones */
    return !(FLASH_CR & CR_LOCK);
}

static bool succeeded(void) {
    barrier(); /* the request has left before it is looked after */
    return wait_ready() && !(FLASH_SR & SR_ERRORS);
}

/* Locks, and forgets what the caches hold of the changed bytes. */
static hal_flash_status end(bool success, uint32_t address, uint32_t bytes) {
    FLASH_CR = CR_LOCK;
    if (FLASH_ACR & ACR_DCEN) {
        FLASH_ACR &= ~ACR_DCEN; /* it can be reset only while it is off */
        FLASH_ACR |= ACR_DCRST;
        FLASH_ACR &= ~ACR_DCRST;
        FLASH_ACR |= ACR_DCEN;
    }
    hal_cache_forget(address, bytes);
    return success ? HAL_FLASH_OK : HAL_FLASH_FAILED;
}

static hal_flash_status read(uint32_t address, uint8_t *data, uint32_t bytes) {
    if (!slots_hold(address, bytes)) return HAL_FLASH_REFUSED;
    for (uint32_t i = 0; i < bytes; i++) data[i] = REG8(address + i);
    return HAL_FLASH_OK;
}

static hal_flash_status erase_sector(uint32_t address) {
    const uint32_t bytes = BOARD_FLASH_SECTOR_BYTES, offset = slots_offset(address);
    if (!slots_have_sector(address)) return HAL_FLASH_REFUSED;
    bool success = begin();
    if (success) {
        FLASH_CR = CR_SER |
                   CR_SNB((BOARD_FLASH_BANK - 1u) * 16u + BOARD_FLASH_FIRST_SECTOR + offset / bytes) |
                   CR_PSIZE_X32;
        FLASH_CR |= CR_STRT;
        success = succeeded();
    }
    return end(success, address, bytes);
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    if (!slots_have_units(address, bytes)) return HAL_FLASH_REFUSED;
    bool success = begin();
    if (success) FLASH_CR = CR_PG | CR_PSIZE_X32;
    for (uint32_t i = 0; success && i < bytes; i += 4u) {
        uint32_t word;
        memcpy(&word, data + i, sizeof word);
        REG32(address + i) = word;
        success = succeeded();
    }
    return end(success, address, bytes);
}

_Static_assert(BOARD_FLASH_UNIT == 4, "programmed by words");

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = SLOTS_FLASH(read, erase_sector, program);
    return &flash;
}
