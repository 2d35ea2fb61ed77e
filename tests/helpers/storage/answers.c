/* What the storage answers where no power fails: one check after the other, a sentence and status 1 for the
 * first that does not hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32.h"
#include "flash_model.h"
#include "storage.h"

static const geometry board = {"STM32F4", {0x080C0000u, 0x080E0000u}, 131072, 131072, 4, false};
static const char ours[] = "0123456789abcdef", theirs[] = "0123456789abcdee", hash[] = "feedfacecafebeef";

void fail(const char *what) {
    printf("%s\n", what);
    exit(1);
}

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) fail("line " LINE(__LINE__) ": " #condition);                                      \
    } while (0)
#define LINE(number) TEXT(number)
#define TEXT(tokens) #tokens

static uint8_t data[100], other[100], loaded[100];
static storage_info info;

static storage_status load(const hal_flash *flash) {
    memset(loaded, 0x77, sizeof loaded);
    return fw_storage_load(flash, ours, loaded, sizeof loaded, NULL, &info);
}

static bool untouched(void) {
    for (uint32_t i = 0; i < sizeof loaded; i++) {
        if (loaded[i] != 0x77) return false;
    }
    return true;
}

static void no_flash(void) {
    CHECK(load(NULL) == STORAGE_ABSENT && untouched());
    CHECK(fw_storage_save(NULL, ours, hash, data, 1, NULL, 0, &info) == STORAGE_ABSENT);
    CHECK(fw_storage_clear(NULL) == STORAGE_ABSENT);
}

static void saves_and_loads(void) {
    const hal_flash *flash = model_start(&board);
    CHECK(load(flash) == STORAGE_EMPTY && untouched());
    for (uint32_t n = 1; n <= 5; n++) {
        data[0] = (uint8_t)n;
        CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 1000 * n, &info) == STORAGE_OK);
        CHECK(info.generation == n && info.steps == 1000 * n && info.slot == (n + 1) % 2);
        CHECK(load(flash) == STORAGE_OK && memcmp(loaded, data, sizeof data) == 0);
        CHECK(info.generation == n && info.steps == 1000 * n && info.bytes == sizeof data && !info.fallback);
        CHECK(!strcmp(info.layout, ours) && !strcmp(info.model_hash, hash));
    }
    CHECK(fw_storage_load(flash, ours, NULL, sizeof loaded, NULL, NULL) == STORAGE_OK);
    CHECK(fw_storage_clear(flash) == STORAGE_OK);
    CHECK(load(flash) == STORAGE_EMPTY && untouched() && info.generation == 0);
}

/* ---- How much a save erases, announced and done ---- */

static hal_flash counted;
static uint32_t erased;
static hal_flash_status (*erase_really)(uint32_t address);

static hal_flash_status count_erasing(uint32_t address) {
    erased += counted.sector_bytes;
    return erase_really(address);
}

static void save_erases(const char *layout, uint32_t bytes, uint32_t expected, storage_status status) {
    erased = 0;
    CHECK(fw_storage_save_erases(&counted, layout, bytes, 0) == expected && erased == 0);
    CHECK(fw_storage_save(&counted, layout, hash, data, bytes, NULL, 1, &info) == status);
    CHECK(erased == expected);
}

static void other_version(const hal_flash *flash, uint32_t slot);

static void announced(void) {
    static const geometry small = {"small sectors", {0x08000000u, 0x08008000u}, 512, 64, 4, false};
    const geometry *boards[] = {&board, &small};
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t sector = boards[i]->sector_bytes, header = i ? 128 : sector, filled = i ? 256 : sector;
        counted = *model_start(boards[i]);
        erase_really = counted.erase_sector;
        counted.erase_sector = count_erasing;
        save_erases(ours, boards[i]->slot_bytes, 0, STORAGE_TOO_LARGE);
        save_erases(ours, sizeof data, filled + header, STORAGE_OK); /* nothing was there */
        save_erases(ours, sizeof data, filled, STORAGE_OK);
        save_erases(theirs, sizeof data, filled, STORAGE_OK);
        model_corrupt(0, 128 + 50, 1);
        model_corrupt(1, 128 + 50, 1);
        save_erases(ours, sizeof data, filled + header, STORAGE_OK);
    }
    counted = *model_start(&board);
    other_version(&counted, 0);
    erase_really = counted.erase_sector;
    counted.erase_sector = count_erasing;
    save_erases(ours, sizeof data, 0, STORAGE_OTHER_VERSION);
    CHECK(fw_storage_save_erases(NULL, ours, 1, 0) == 0);
}

static void too_large(void) {
    static uint8_t large[131072];
    const hal_flash *flash = model_start(&board);
    CHECK(fw_storage_save(flash, ours, hash, large, 131072 - 127, NULL, 0, &info) == STORAGE_TOO_LARGE);
    CHECK(model_operations() == 0);
    CHECK(fw_storage_save(flash, ours, hash, data, UINT32_MAX, NULL, 0, &info) == STORAGE_TOO_LARGE);
}

static void foreign(void) {
    const hal_flash *flash = model_start(&board);
    CHECK(fw_storage_save(flash, theirs, hash, other, sizeof other, NULL, 5, NULL) == STORAGE_OK);
    CHECK(load(flash) == STORAGE_FOREIGN_MODEL && untouched());
    CHECK(!strcmp(info.layout, theirs) && info.steps == 5);
    CHECK(fw_storage_load(flash, theirs, loaded, sizeof loaded - 1, NULL, &info) == STORAGE_FOREIGN_MODEL);
    /* A save leaves it alone, the next one does not. */
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 6, &info) == STORAGE_OK);
    CHECK(info.generation == 2);
    CHECK(load(flash) == STORAGE_OK && info.steps == 6);
    CHECK(fw_storage_load(flash, theirs, loaded, sizeof loaded, NULL, &info) == STORAGE_OK &&
          info.steps == 5);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 7, &info) == STORAGE_OK);
    CHECK(load(flash) == STORAGE_OK && info.steps == 7);
    CHECK(fw_storage_load(flash, theirs, loaded, sizeof loaded, NULL, &info) == STORAGE_FOREIGN_MODEL);
}

/* The newest state is damaged: the one before comes back, and says so; two damaged ones: nothing does. */
static void damaged(void) {
    const hal_flash *flash = model_start(&board);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 1, &info) == STORAGE_OK);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 2, &info) == STORAGE_OK);
    model_corrupt(info.slot, 128 + 50, 1);
    CHECK(load(flash) == STORAGE_OK && info.steps == 1 && info.fallback);
    model_corrupt(info.slot, 128 + 99, 0x80);
    CHECK(load(flash) == STORAGE_DAMAGED && untouched());
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 3, &info) == STORAGE_OK);
    CHECK(info.generation == 3);
    CHECK(load(flash) == STORAGE_OK && info.steps == 3 && !info.fallback);
    model_corrupt(info.slot, 20, 1); /* the header */
    CHECK(load(flash) == STORAGE_DAMAGED && untouched());
}

/* What a firmware with format version 3 may leave. */
static void other_version(const hal_flash *flash, uint32_t slot) {
    uint8_t header[64] = {'T', 'E', 'W', 'S', 3, 0, 0xFF, 0xFF, 9}, mark[32] = {'D', 'O', 'N', 'E'};
    for (uint32_t i = 12; i < 60; i++) header[i] = (uint8_t)(i * 11u);
    const uint32_t crc = fw_crc32(0, header, 60);
    writer h = {.data = header + 60, .capacity = 4}, m = {.data = mark + 4, .capacity = 4};
    put_u32(&h, crc);
    put_u32(&m, crc);
    CHECK(flash->erase_sector(flash->slots[slot]) == HAL_FLASH_OK);
    CHECK(flash->program(flash->slots[slot], header, sizeof header) == HAL_FLASH_OK);
    CHECK(flash->program(flash->slots[slot] + 64, mark, sizeof mark) == HAL_FLASH_OK);
}

static void downgrade(uint32_t saves_before) {
    const hal_flash *flash = model_start(&board);
    for (uint32_t n = 0; n < saves_before; n++) {
        CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, n, &info) == STORAGE_OK);
    }
    other_version(flash, saves_before % 2);
    snapshot before, after;
    model_keep(&before);
    CHECK(load(flash) == STORAGE_OTHER_VERSION && untouched() && info.generation == 9);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 7, &info) == STORAGE_OTHER_VERSION);
    model_keep(&after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK(fw_storage_clear(flash) == STORAGE_OK);
    CHECK(load(flash) == STORAGE_EMPTY);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 7, &info) == STORAGE_OK);
    CHECK(load(flash) == STORAGE_OK && info.generation == 1);
}

/* Names come back with their state, are damaged with it, and fill the slot with it. */
static void names_belong_to_the_state(void) {
    const hal_flash *flash = model_start(&board);
    storage_names names = {.length = 60}, found = {.length = 7};
    for (uint32_t i = 0; i < sizeof names.text; i++) names.text[i] = (uint8_t)(i * 3u);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, &names, 1, &info) == STORAGE_OK);
    CHECK(fw_storage_load(flash, ours, loaded, sizeof loaded, &found, &info) == STORAGE_OK);
    CHECK(found.length == names.length && memcmp(found.text, names.text, names.length) == 0);
    CHECK(load(flash) == STORAGE_OK); /* somebody who does not want them */
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 2, &info) == STORAGE_OK);
    CHECK(fw_storage_load(flash, ours, loaded, sizeof loaded, &found, &info) == STORAGE_OK &&
          found.length == 0);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, &names, 3, &info) == STORAGE_OK);
    for (uint32_t at = 0; at < names.length; at += 5) {
        model_corrupt(info.slot, 128 + 128 + at, 0x40);
        CHECK(load(flash) == STORAGE_OK && info.steps == 2 && info.fallback);
        model_corrupt(1u - info.slot, 128 + 128 + at, 0x40);
        CHECK(load(flash) == STORAGE_OK && info.steps == 3);
    }
    static const geometry little = {"little", {0x08000000u, 0x08010000u}, 320, 320, 8, false};
    static uint8_t large[129];
    flash = model_start(&little);
    CHECK(fw_storage_save(flash, ours, hash, large, sizeof large - 1, &names, 4, &info) == STORAGE_OK);
    CHECK(fw_storage_save(flash, ours, hash, large, sizeof large, &names, 5, &info) == STORAGE_TOO_LARGE);
    CHECK(fw_storage_save_erases(flash, ours, sizeof large, names.length) == 0);
    CHECK(fw_storage_load(flash, ours, large, sizeof large - 1, &found, &info) == STORAGE_OK &&
          info.steps == 4);
}

/* What format version 1 has saved is found: it is the same, but for names. */
static void former_version(void) {
    const hal_flash *flash = model_start(&board);
    uint8_t header[64], mark[32] = {'D', 'O', 'N', 'E'};
    storage_names found = {.length = 7};
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 77, &info) == STORAGE_OK);
    CHECK(flash->read(flash->slots[0], header, sizeof header) == HAL_FLASH_OK);
    header[4] = 1;
    writer h = {.data = header + 60, .capacity = 4}, m = {.data = mark + 4, .capacity = 4};
    put_u32(&h, fw_crc32(0, header, 60));
    put_u32(&m, fw_crc32(0, header, 60));
    CHECK(flash->erase_sector(flash->slots[0]) == HAL_FLASH_OK);
    CHECK(flash->program(flash->slots[0] + 128, data, sizeof data) == HAL_FLASH_OK);
    CHECK(flash->program(flash->slots[0], header, sizeof header) == HAL_FLASH_OK);
    CHECK(flash->program(flash->slots[0] + 64, mark, sizeof mark) == HAL_FLASH_OK);
    CHECK(fw_storage_load(flash, ours, loaded, sizeof loaded, &found, &info) == STORAGE_OK);
    CHECK(memcmp(loaded, data, sizeof data) == 0 && info.steps == 77 && found.length == 0);
}

/* The format, byte by byte, as docs/storage.md has it. */
static void format(void) {
    const hal_flash *flash = model_start(&board);
    uint8_t slot[128 + 128 + 9], expected[128] = {'T', 'E', 'W', 'S', 2, 0, 128, 0, 1};
    const storage_names names = {.length = 9, .text = "mug\0stone"}; /* the last byte is zero already */
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, &names, 0x01020304u, &info) == STORAGE_OK);
    CHECK(flash->read(flash->slots[0], slot, sizeof slot) == HAL_FLASH_OK);
    expected[12] = sizeof data;
    for (uint32_t i = 0; i < 4; i++) expected[16 + i] = (uint8_t)(4u - i);
    writer crc = {.data = expected + 20, .capacity = 4};
    put_u32(&crc, fw_crc32(fw_crc32(0, data, sizeof data), names.text, 9));
    expected[56] = 9;
    memcpy(expected + 24, ours, 16);
    memcpy(expected + 40, hash, 16);
    writer end = {.data = expected + 60, .capacity = 4}, mark = {.data = expected + 68, .capacity = 4};
    put_u32(&end, fw_crc32(0, expected, 60));
    memcpy(expected + 64, "DONE", 4);
    put_u32(&mark, fw_crc32(0, expected, 60));
    memset(expected + 96, 0xFF, 32);
    CHECK(memcmp(slot, expected, 128) == 0 && memcmp(slot + 128, data, sizeof data) == 0);
    CHECK(memcmp(slot + 256, names.text, 9) == 0);
    CHECK(fw_storage_save(flash, ours, hash, data, sizeof data, NULL, 2, &info) == STORAGE_OK);
    CHECK(flash->read(flash->slots[0], slot, sizeof slot) == HAL_FLASH_OK);
    CHECK(memcmp(slot + 96, expected + 64, 32) == 0); /* now it is kept */
}

int main(void) {
    for (uint32_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(3u * i + 1u), other[i] = (uint8_t)(5u * i);
    no_flash();
    saves_and_loads();
    announced();
    too_large();
    foreign();
    damaged();
    for (uint32_t n = 0; n < 4; n++) downgrade(n);
    names_belong_to_the_state();
    former_version();
    format();
    printf("all answers are right\n");
    return 0;
}
