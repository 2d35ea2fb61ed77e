/* Programming of controllers that keep an error code beside each unit of several words (STM32H7, L4+, U5), with what
 * flash_controller.h asks for, and CR_PROGRAM: the control register while it programs. Included after board.h. */
#ifndef STM32_FLASH_UNITS_H
#define STM32_FLASH_UNITS_H

#include <string.h>

#include "flash_controller.h"

/* The words of a unit in a row start its programming. */
static inline bool flash_program_unit(uint32_t address, const uint8_t *data) {
    uint32_t words[BOARD_FLASH_UNIT / 4u];
    memcpy(words, data, sizeof words);
    FLASH_CR = CR_PROGRAM;
    barrier(); /* a store that arrives before PG is set would be an error */
    for (uint32_t i = 0; i < BOARD_FLASH_UNIT / 4u; i++) REG32(address + 4u * i) = words[i];
    const bool success = flash_succeeded();
    FLASH_CLEAR = SR_EOP;
    return success;
}

/* Up to the first unit that fails. */
static inline bool flash_program_units(uint32_t address, const uint8_t *data, uint32_t bytes) {
    bool success = true;
    for (uint32_t i = 0; success && i < bytes; i += BOARD_FLASH_UNIT)
        success = flash_program_unit(address + i, data + i);
    return success;
}

#endif
