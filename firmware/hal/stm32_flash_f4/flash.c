/* Flash controller of the STM32F4 (RM0090 3.6 to 3.9, RM0386 3.6 to 3.9) and STM32F7 (RM0385 3.3 to 3.7): words of 32
 * bits (which wants 2.7 to 3.6 V).
 *
 * The core stands still while it would fetch from the flash during an operation, so the loops that wait
 * mostly run once, after it.
 */
#include "../flash.h"

#include <stdbool.h>
#include <string.h>

#include "../common/system.h"

#include "board.h"

#include "../common/slots.h"

#define FLASH_ACR REG32(0x40023C00u)
#define FLASH_KEYR REG32(0x40023C04u)
#define FLASH_SR REG32(0x40023C0Cu)
#define FLASH_CLEAR FLASH_SR
#define FLASH_CR REG32(0x40023C10u)
#define ACR_DCEN BIT(10) /* the data cache of the STM32F4; reserved and 0 on the STM32F7, as DCRST */
#define ACR_DCRST BIT(12)
/* OPERR, WRPERR, PGAERR, PGPERR, and PGSERR or ERSERR */
#define SR_ERRORS (BIT(1) | BIT(4) | BIT(5) | BIT(6) | BIT(7))
#define SR_CLEARABLE SR_ERRORS
#define SR_BUSY BIT(16)
#define CR_PG BIT(0)
#define CR_SER BIT(1)
#define CR_SNB(sector) ((uint32_t)(sector) << 3) /* bit 4 of the number is the bank */
#define CR_PSIZE_X32 (2u << 8)
#define CR_STRT BIT(16)
#define CR_LOCK BIT(31)

#define LONGEST_MS 8000u /* twice the longest erase in the data sheets */

#include "../stm32/flash_controller.h"

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
    const uint32_t sector = (BOARD_FLASH_BANK - 1u) * 16u + BOARD_FLASH_FIRST_SECTOR + offset / bytes;
    const bool success = flash_begin() && flash_erase(CR_SER | CR_SNB(sector) | CR_PSIZE_X32);
    return end(success, address, bytes);
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    if (!slots_have_units(address, bytes)) return HAL_FLASH_REFUSED;
    bool success = flash_begin();
    if (success) FLASH_CR = CR_PG | CR_PSIZE_X32;
    for (uint32_t i = 0; success && i < bytes; i += 4u) {
        uint32_t word;
        memcpy(&word, data + i, sizeof word);
        REG32(address + i) = word;
        success = flash_succeeded();
    }
    return end(success, address, bytes);
}

_Static_assert(BOARD_FLASH_UNIT == 4, "programmed by words");

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = SLOTS_FLASH(read, erase_sector, program);
    return &flash;
}
