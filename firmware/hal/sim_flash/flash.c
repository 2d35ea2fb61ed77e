/* The flash of a simulated board: a file of the host, so that ending and starting the simulator is a power
 * cycle. The simulator's command line for us has a line "flash=" with its path; without one there is no flash.
 *
 * The file holds the two slots and then, per unit of them, a byte that is 0xFF until the unit is programmed.
 * What a real controller would refuse, or what would leave wrong error codes, is refused here.
 */
#include "../flash.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../common/semihost.h"

#include "board.h"

#include "../common/slots.h"

#define FILE_BYTES (SLOTS_BYTES + SLOTS_BYTES / BOARD_FLASH_UNIT)
#define PIECE 256u /* moved at once; whole units */

static int32_t file = -1;

static bool fill_with_ones(uint32_t offset, uint32_t bytes) {
    uint8_t ones[PIECE];
    memset(ones, 0xFF, sizeof ones);
    for (uint32_t done = 0; done < bytes; done += PIECE) {
        if (!hal_semihost_write(file, offset + done, ones, bytes - done < PIECE ? bytes - done : PIECE))
            return false;
    }
    return true;
}

static hal_flash_status read(uint32_t address, uint8_t *data, uint32_t bytes) {
    if (!slots_hold(address, bytes)) return HAL_FLASH_REFUSED;
    if (bytes == 0) return HAL_FLASH_OK;
    return hal_semihost_read(file, slots_offset(address), data, bytes) ? HAL_FLASH_OK : HAL_FLASH_FAILED;
}

static hal_flash_status erase_sector(uint32_t address) {
    const uint32_t offset = slots_offset(address), bytes = BOARD_FLASH_SECTOR_BYTES;
    if (!slots_have_sector(address)) return HAL_FLASH_REFUSED;
    /* The units become usable last: a simulator that is killed in between leaves a half erased sector. */
    return fill_with_ones(offset, bytes) &&
                   fill_with_ones(SLOTS_BYTES + offset / BOARD_FLASH_UNIT, bytes / BOARD_FLASH_UNIT)
               ? HAL_FLASH_OK
               : HAL_FLASH_FAILED;
}

static hal_flash_status program_piece(uint32_t offset, const uint8_t *data, uint32_t bytes) {
    uint8_t units[PIECE / BOARD_FLASH_UNIT], present[PIECE];
    const uint32_t count = bytes / BOARD_FLASH_UNIT, units_at = SLOTS_BYTES + offset / BOARD_FLASH_UNIT;
    if (!hal_semihost_read(file, units_at, units, count) || !hal_semihost_read(file, offset, present, bytes))
        return HAL_FLASH_FAILED;
    for (uint32_t i = 0; i < count; i++) {
        if (units[i] != 0xFF) return HAL_FLASH_REFUSED; /* programmed already */
    }
    for (uint32_t i = 0; i < bytes; i++) {
        if (data[i] & ~present[i]) return HAL_FLASH_REFUSED; /* zeros do not become ones */
    }
    memset(units, 0, count);
    return hal_semihost_write(file, units_at, units, count) && hal_semihost_write(file, offset, data, bytes)
               ? HAL_FLASH_OK
               : HAL_FLASH_FAILED;
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    const uint32_t offset = slots_offset(address);
    if (!slots_have_units(address, bytes)) return HAL_FLASH_REFUSED;
    for (uint32_t done = 0; done < bytes; done += PIECE) {
        const uint32_t n = bytes - done < PIECE ? bytes - done : PIECE;
        const hal_flash_status status = program_piece(offset + done, data + done, n);
        if (status != HAL_FLASH_OK) return status;
    }
    return HAL_FLASH_OK;
}

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = SLOTS_FLASH(read, erase_sector, program);
    if (file < 0) {
        const int32_t opened = hal_semihost_open("flash=");
        if (opened < 0 || hal_semihost_length(opened) != (int32_t)FILE_BYTES) return NULL;
        file = opened;
    }
    return &flash;
}
