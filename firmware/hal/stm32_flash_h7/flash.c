/* Flash controller of the STM32H74x and H75x (RM0433 4.3 and 4.9): flash words of 32 bytes with an error
 * code of 10 bits each, programmed once per erase. Both slots lie in bank 2; a firmware that ends in bank 1
 * keeps running while they are written.
 *
 * Reading a flash word that a power cut left half programmed raises a bus fault, so reads run with bus faults
 * ignored and look at the controller's error flag.
 */
#include "../flash.h"

#include <stdbool.h>

#include "../common/system.h"

#include "board.h"

#include "../common/slots.h"

#define BANK2 0x52002100u
#define FLASH_KEYR REG32(BANK2 + 0x04u)
#define FLASH_CR REG32(BANK2 + 0x0Cu)
#define FLASH_SR REG32(BANK2 + 0x10u)
#define FLASH_CLEAR REG32(BANK2 + 0x14u)
#define CR_LOCK BIT(0)
#define CR_PG BIT(1)
#define CR_SER BIT(2)
#define CR_PSIZE_X64 (3u << 4) /* as after reset */
#define CR_PROGRAM (CR_PG | CR_PSIZE_X64)
#define CR_STRT BIT(7)
#define CR_SNB(sector) ((uint32_t)(sector) << 8)
#define SR_BUSY (BIT(0) | BIT(1) | BIT(2)) /* BSY, WBNE: the write buffer is filling, QW: operations wait */
#define SR_EOP BIT(16)
#define SR_DBECCERR BIT(26)
#define SR_ERRORS (BIT(17) | BIT(18) | BIT(19) | BIT(21) | BIT(22)) /* WRPERR PGSERR STRBERR INCERR OPERR */
#define SR_CLEARABLE (SR_EOP | SR_ERRORS | BIT(23) | BIT(24) | BIT(25) | SR_DBECCERR)

#define LONGEST_MS 8000u     /* twice the longest erase in the data sheet */
#define READ_AT_ONCE 128u    /* bytes: interrupts wait meanwhile */
#define CFSR_BUS 0x0000FF00u /* the bus fault's part, cleared by ones */

#include "../stm32/flash_units.h"

/* Locks, and forgets what the cache holds of the changed bytes. */
static hal_flash_status end(bool success, uint32_t address, uint32_t bytes) {
    if (!(FLASH_CR & CR_LOCK)) {
        FLASH_CR = CR_PSIZE_X64; /* by itself: the write that locks changes nothing else */
        FLASH_CR = CR_PSIZE_X64 | CR_LOCK;
    }
    hal_cache_forget(address, bytes);
    return success ? HAL_FLASH_OK : HAL_FLASH_FAILED;
}

/* At priority -1 with BFHFNMIGN, loads that fail give anything and go on (Armv7-M B1.5.14, B3.2.8). */
static bool read_piece(uint32_t address, uint8_t *data, uint32_t bytes) {
    FLASH_CLEAR = SR_DBECCERR;
    faults_off();
    SCB_CCR |= SCB_CCR_BFHFNMIGN;
    barrier();
    for (uint32_t i = 0; i < bytes; i++) data[i] = REG8(address + i);
    barrier();
    const bool faulted = SCB_CFSR & CFSR_BUS;
    SCB_CFSR = CFSR_BUS;
    SCB_CCR &= ~SCB_CCR_BFHFNMIGN;
    barrier();
    faults_on();
    const bool wrong = FLASH_SR & SR_DBECCERR;
    FLASH_CLEAR = SR_DBECCERR;
    return !faulted && !wrong;
}

static hal_flash_status read(uint32_t address, uint8_t *data, uint32_t bytes) {
    if (!slots_hold(address, bytes)) return HAL_FLASH_REFUSED;
    for (uint32_t done = 0; done < bytes; done += READ_AT_ONCE) {
        const uint32_t n = bytes - done < READ_AT_ONCE ? bytes - done : READ_AT_ONCE;
        if (!read_piece(address + done, data + done, n)) return HAL_FLASH_DAMAGED;
    }
    return HAL_FLASH_OK;
}

static hal_flash_status erase_sector(uint32_t address) {
    const uint32_t bytes = BOARD_FLASH_SECTOR_BYTES, offset = slots_offset(address);
    if (!slots_have_sector(address)) return HAL_FLASH_REFUSED;
    const uint32_t sector = BOARD_FLASH_FIRST_SECTOR + offset / bytes;
    const bool success = flash_begin() && flash_erase(CR_SER | CR_SNB(sector) | CR_PSIZE_X64);
    return end(success, address, bytes);
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    if (!slots_have_units(address, bytes)) return HAL_FLASH_REFUSED;
    const bool success = flash_begin() && flash_program_units(address, data, bytes);
    return end(success, address, bytes);
}

_Static_assert(BOARD_FLASH_UNIT == 32 && BOARD_FLASH_BANK == 2, "flash words, in bank 2");

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = SLOTS_FLASH(read, erase_sector, program);
    return &flash;
}
