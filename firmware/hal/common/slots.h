/* What every flash driver checks and says about the slots for trained states, from the board's
 * BOARD_FLASH_... Included after board.h. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdbool.h>

#include "../flash.h"

#define SLOTS_BYTES (HAL_FLASH_SLOTS * BOARD_FLASH_SLOT_BYTES)

/* From the start of the first slot; the second follows it. */
static inline uint32_t slots_offset(uint32_t address) {
    return address - BOARD_FLASH_ADDRESS;
}

static inline bool slots_hold(uint32_t address, uint32_t bytes) {
    const uint32_t offset = slots_offset(address);
    return address >= BOARD_FLASH_ADDRESS && offset <= SLOTS_BYTES && bytes <= SLOTS_BYTES - offset;
}

/* Whether a sector of the slots starts at this address. */
static inline bool slots_have_sector(uint32_t address) {
    return slots_hold(address, BOARD_FLASH_SECTOR_BYTES) &&
           slots_offset(address) % BOARD_FLASH_SECTOR_BYTES == 0;
}

/* Whether these are whole units of the slots. */
static inline bool slots_have_units(uint32_t address, uint32_t bytes) {
    return slots_hold(address, bytes) && slots_offset(address) % BOARD_FLASH_UNIT == 0 &&
           bytes % BOARD_FLASH_UNIT == 0;
}

/* Initializer of the board's hal_flash with a driver's functions. */
#define SLOTS_FLASH(read_function, erase_function, program_function)                                         \
    {                                                                                                        \
        .slots = {BOARD_FLASH_ADDRESS, BOARD_FLASH_ADDRESS + BOARD_FLASH_SLOT_BYTES},                        \
        .slot_bytes = BOARD_FLASH_SLOT_BYTES, .sector_bytes = BOARD_FLASH_SECTOR_BYTES,                      \
        .unit = BOARD_FLASH_UNIT, .read = read_function, .erase_sector = erase_function,                     \
        .program = program_function,                                                                         \
    }

#endif
