/* Flash controller of the STM32L4+ (RM0432 3.3 to 3.7) and STM32U5 (RM0456 7.3 to 7.9): units of 8 or 16 bytes with an
 * error code each, programmed once per erase. Both slots lie in bank 2; a firmware that ends in bank 1 keeps running
 * while they are written.
 *
 * Reading a unit that a power cut left half programmed raises the non-maskable interrupt, which this file answers: the
 * read goes on, and its result is refused.
 */
#include "../flash.h"

#include <stdbool.h>

#include "../common/startup.h"
#include "../common/system.h"

#include "board.h"

#include "../common/slots.h"

#define FLASH_CLEAR FLASH_SR
#define CR_PG BIT(0)
#define CR_PROGRAM CR_PG
#define CR_PER BIT(1)
#define CR_PNB(page) ((uint32_t)(page) << 3)
#define CR_BKER BIT(11)
#define CR_STRT BIT(16)
#define CR_LOCK BIT(31)
#define SR_EOP BIT(0)
/* OPERR PROGERR WRPERR PGAERR SIZERR PGSERR */
#define SR_ERRORS (BIT(1) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7))
#define SR_CLEARABLE (SR_ERRORS | SR_EOP)

#define LONGEST_MS 1000u /* of one page, many times what the data sheets say */

#include "../stm32/flash_units.h"

static volatile bool reading, damaged;

void hal_nmi_handler(void) {
    if (!reading || !(FLASH_ECCR & ECCR_ERROR)) hal_fault_report(NULL);
    FLASH_ECCR |= ECCR_ERROR;
    damaged = true;
}

static bool begin(void) {
    stm32_flash_cache_off();
    return flash_begin();
}

/* Locks, and forgets what the cache holds of the flash. */
static hal_flash_status end(bool success) {
    if (!(FLASH_CR & CR_LOCK)) {
        if (!(FLASH_SR & SR_BUSY)) FLASH_CR = 0; /* by itself: the write that locks changes nothing else */
        FLASH_CR |= CR_LOCK;
    }
    stm32_flash_cache_on();
    return success ? HAL_FLASH_OK : HAL_FLASH_FAILED;
}

static hal_flash_status read(uint32_t address, uint8_t *data, uint32_t bytes) {
    if (!slots_hold(address, bytes)) return HAL_FLASH_REFUSED;
    damaged = false;
    reading = true;
    for (uint32_t i = 0; i < bytes; i++) data[i] = REG8(address + i);
    barrier(); /* the interrupt of the last byte has come */
    reading = false;
    return damaged ? HAL_FLASH_DAMAGED : HAL_FLASH_OK;
}

static hal_flash_status erase_sector(uint32_t address) {
    const uint32_t page = BOARD_FLASH_FIRST_SECTOR + slots_offset(address) / BOARD_FLASH_SECTOR_BYTES;
    if (!slots_have_sector(address)) return HAL_FLASH_REFUSED;
    return end(begin() && flash_erase(CR_PER | CR_PNB(page) | CR_BKER));
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    if (!slots_have_units(address, bytes)) return HAL_FLASH_REFUSED;
    return end(begin() && flash_program_units(address, data, bytes));
}

_Static_assert(BOARD_FLASH_UNIT == STM32_FLASH_UNIT && BOARD_FLASH_BANK == 2,
               "units with an error code, in bank 2");

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = SLOTS_FLASH(read, erase_sector, program);
    return &flash;
}
