/* Flash for tests on the host: a file named by the environment variable NATIVE_FLASH, so that ending the
 * process and starting another is a power cycle. Without the variable there is none. Erased bytes are 0xFF,
 * and a word is programmed once. */
#define _POSIX_C_SOURCE 200809L

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "flash.h"

#define SECTOR 4096u
#define SLOT (4u * SECTOR)
#define BASE 0x08040000u
#define UNIT 4u

static uint8_t *cells;

static uint8_t *at(uint32_t address, uint32_t bytes) {
    return address >= BASE && bytes <= 2 * SLOT && address - BASE <= 2 * SLOT - bytes
               ? cells + (address - BASE)
               : NULL;
}

static hal_flash_status read_cells(uint32_t address, uint8_t *data, uint32_t bytes) {
    const uint8_t *from = at(address, bytes);
    if (!from) return HAL_FLASH_REFUSED;
    memcpy(data, from, bytes);
    return HAL_FLASH_OK;
}

static hal_flash_status erase_sector(uint32_t address) {
    uint8_t *sector = at(address, SECTOR);
    if (!sector || (address - BASE) % SECTOR) return HAL_FLASH_REFUSED;
    memset(sector, 0xFF, SECTOR);
    return HAL_FLASH_OK;
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    uint8_t *to = at(address, bytes);
    if (!to || (address - BASE) % UNIT || bytes % UNIT) return HAL_FLASH_REFUSED;
    for (uint32_t i = 0; i < bytes; i++) {
        if (to[i] != 0xFF) return HAL_FLASH_FAILED;
    }
    memcpy(to, data, bytes);
    return HAL_FLASH_OK;
}

const hal_flash *hal_flash_open(void) {
    static const hal_flash flash = {
        .slots = {BASE, BASE + SLOT},
        .slot_bytes = SLOT,
        .sector_bytes = SECTOR,
        .unit = UNIT,
        .read = read_cells,
        .erase_sector = erase_sector,
        .program = program,
    };
    const char *name = getenv("NATIVE_FLASH");
    if (!name) return NULL;
    const int file = open(name, O_RDWR | O_CREAT, 0644);
    const off_t size = file >= 0 ? lseek(file, 0, SEEK_END) : -1;
    if (size < 0 || ftruncate(file, 2 * SLOT)) {
        perror(name);
        exit(1);
    }
    cells = mmap(NULL, 2 * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (cells == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    if (size == 0) memset(cells, 0xFF, 2 * SLOT);
    return &flash;
}
