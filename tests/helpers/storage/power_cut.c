/* Cuts the power at every flash operation of the storage and looks what comes back.
 *
 * For each geometry and each history of the two slots: a save and a clear are interrupted at every operation
 * in every way (flash_model.h), the board "boots", and must find the state before or the new one, and nothing
 * else. Then a second save is interrupted likewise at every operation. Then an undisturbed save must work.
 * Prints what it has done; ends with status 1 and a sentence at the first violation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_model.h"
#include "storage.h"

#define LAYOUT "00112233445566ff"
#define FOREIGN_LAYOUT "00112233445566fe"
#define HASH "fedcba9876543210"
#define LONGEST 128u

static const geometry geometries[] = {
    {"STM32H7", {0x08180000u, 0x081C0000u}, 262144, 131072, 32, true},
    {"STM32F4 by words", {0x080C0000u, 0x080E0000u}, 131072, 131072, 4, false},
    {"STM32F7", {0x08080000u, 0x080C0000u}, 262144, 262144, 4, false},
    {"slots of two sectors", {0x08000000u, 0x08010000u}, 1024, 512, 8, false},
    {"STM32F4 by bytes", {0x080C0000u, 0x080E0000u}, 131072, 131072, 1, false},
};

/* Where the test stands, for the sentence of a failure. */
static struct {
    const geometry *g;
    const char *history, *operation;
    uint32_t length, cut, second_cut;
    accident kind, second_kind;
    int found; /* by the last boot */
} here;
static uint32_t boots, cuts, double_cuts;

void fail(const char *what) {
    printf("%s; %s, %s, %u bytes, %s, accident %d at %u, then %d at %u; found %d\n", what, here.g->name,
           here.history, (unsigned)here.length, here.operation, here.kind, (unsigned)here.cut,
           here.second_kind, (unsigned)here.second_cut, here.found);
    exit(1);
}

/* ---- States: number n > 0 has its own bytes, and n as steps ---- */

static void make(uint32_t number, uint8_t *data) {
    for (uint32_t i = 0; i < here.length; i++) data[i] = (uint8_t)((i * 7u + number * 37u) ^ (i >> 5));
}

/* Every third state has none. */
static void make_names(uint32_t number, storage_names *names) {
    names->length = (uint16_t)(number % 3u * 7u);
    for (uint32_t i = 0; i < names->length; i++) names->text[i] = (uint8_t)(i * 5u + number);
}

static storage_status save(const hal_flash *flash, uint32_t number, const char *layout) {
    uint8_t data[LONGEST];
    storage_names names;
    make(number, data);
    make_names(number, &names);
    storage_info info;
    const storage_status status =
        fw_storage_save(flash, layout, HASH, data, here.length, &names, number, &info);
    if (status == STORAGE_OK && info.steps != number) fail("a save that describes another state");
    return status;
}

/* What a boot finds: the number of a state, or minus the status. */
static int look(const hal_flash *flash) {
    uint8_t data[LONGEST + 1], expected[LONGEST];
    storage_names names, named;
    storage_info info;
    memset(data, 0xA5, sizeof data);
    boots++;
    const storage_status status = fw_storage_load(flash, LAYOUT, data, here.length, &names, &info);
    if (data[here.length] != 0xA5) fail("a load that writes too much");
    if (status != STORAGE_OK) {
        for (uint32_t i = 0; i < here.length; i++) {
            if (data[i] != 0xA5 && status != STORAGE_FLASH_ERROR) fail("a refused load that writes");
        }
        return -(int)status;
    }
    make(info.steps, expected);
    if (memcmp(data, expected, here.length) != 0) fail("garbage was loaded");
    make_names(info.steps, &named);
    if (names.length != named.length || memcmp(names.text, named.text, named.length) != 0)
        fail("the names of another state were loaded");
    if (info.bytes != here.length || strcmp(info.layout, LAYOUT) != 0 || strcmp(info.model_hash, HASH) != 0)
        fail("the loaded state is described wrongly");
    return (int)info.steps;
}

static int boot(const hal_flash *flash) {
    return here.found = look(flash);
}

/* ---- Histories: what the flash holds before. The newest own state, if any, has number 1. ---- */

static void prepare_saves(const hal_flash *flash, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (save(flash, count - i, LAYOUT) != STORAGE_OK) fail("an undisturbed save");
    }
}

static void prepare(const hal_flash *flash, uint32_t history) {
    static const char *const names[] = {
        "nothing saved",          "one save",       "two saves",    "three saves", "newest corrupted",
        "the only one corrupted", "foreign newest", "foreign both", "cleared",     "one foreign"};
    here.history = names[history];
    storage_info info;
    if (history <= 3) prepare_saves(flash, history);
    if (history == 4) {
        prepare_saves(flash, 1);
        save(flash, 9, LAYOUT);
        fw_storage_load(flash, LAYOUT, NULL, here.length, NULL, &info);
        model_corrupt(info.slot, 130, 0x10);
    }
    if (history == 5) {
        save(flash, 9, LAYOUT);
        model_corrupt(0, 130, 0x10);
    }
    if (history == 6) prepare_saves(flash, 1);
    if (history == 6 || history == 7 || history == 9) save(flash, 7, FOREIGN_LAYOUT);
    if (history == 7) save(flash, 8, FOREIGN_LAYOUT);
    if (history == 8) {
        prepare_saves(flash, 2);
        if (fw_storage_clear(flash) != STORAGE_OK) fail("an undisturbed clear");
    }
}
#define HISTORIES 10u
#define PAIRED_HISTORIES 5u

/* ---- Accidents ---- */

enum { CLEAR = 0 }; /* in place of a state's number: erase everything */

/* Runs the operation with the accident at operation `cut`; false if there are fewer operations than that. */
static bool interrupted(const hal_flash *flash, uint32_t number, uint32_t cut, accident kind) {
    model_arm(cut, kind);
    if (!setjmp(model_power_cut)) {
        const storage_status status = number == CLEAR ? fw_storage_clear(flash) : save(flash, number, LAYOUT);
        if (!model_struck() && status != STORAGE_OK && here.kind != WEAK) fail("an undisturbed operation");
        if (model_struck() && status != STORAGE_FLASH_ERROR) fail("an error that nobody tells");
    }
    const bool struck = model_struck();
    model_arm(0, NOT_STARTED);
    return struck;
}

/* FLASH_ERROR: bits of an interrupted erase may read right while they are checked and wrong when copied. */
static bool nothing(int found) {
    const bool weak = here.kind == WEAK || here.second_kind == WEAK;
    return found == -STORAGE_EMPTY || found == -STORAGE_DAMAGED || (weak && found == -STORAGE_FLASH_ERROR);
}

/* One of what was there before the operation and what it was to leave. */
static bool allowed(int found, int before, uint32_t number, bool failed) {
    if (found == before) return true;
    if (number == CLEAR) return nothing(found) || found == -STORAGE_FOREIGN_MODEL;
    if (before < 0 && nothing(found)) return true; /* slots with nothing usable are erased */
    return found == (int)number && !failed;
}

/* A weak mark that reads blank is programmed again; where that breaks its error code, one save fails. */
static void save_at_last(const hal_flash *flash, uint32_t number, bool weak) {
    storage_status status = save(flash, number, LAYOUT);
    if (weak && status == STORAGE_FLASH_ERROR) status = save(flash, number, LAYOUT);
    if (status != STORAGE_OK || boot(flash) != (int)number) fail("a save after accidents");
}

static void after_two_accidents(const hal_flash *flash, int before, uint32_t number, int between) {
    const bool weak = here.kind == WEAK || here.second_kind == WEAK;
    const bool failed = here.second_kind >= FAILED_DONE;
    const int found = boot(flash);
    double_cuts++;
    if (!allowed(found, between, 3, failed) && !(here.kind == WEAK && allowed(found, before, number, false)))
        fail("after the second accident");
    save_at_last(flash, 4, weak);
}

static void interrupt_twice(const hal_flash *flash, int before, uint32_t number, int between,
                            const snapshot *start) {
    for (int kind = TORN; kind <= WEAK; kind++) {
        here.second_kind = (accident)kind;
        for (here.second_cut = 1;; here.second_cut++) {
            model_restore(start);
            if (!interrupted(flash, 3, here.second_cut, here.second_kind)) break;
            after_two_accidents(flash, before, number, between);
        }
    }
    here.second_cut = 0;
}

static void interrupt_at_every_operation(const hal_flash *flash, uint32_t number, bool twice) {
    snapshot start, accident_site;
    here.operation = number == CLEAR ? "clear" : "save";
    model_keep(&start);
    const int before = boot(flash);
    for (int kind = 0; kind < ACCIDENTS; kind++) {
        here.kind = (accident)kind;
        for (here.cut = 1;; here.cut++) {
            model_restore(&start);
            if (!interrupted(flash, number, here.cut, here.kind)) break;
            cuts++;
            const int between = boot(flash);
            for (int again = 0; again < 4; again++) {
                const int found = boot(flash);
                if (!allowed(found, before, number, here.kind >= FAILED_DONE)) fail("after the accident");
                if (here.kind != WEAK && found != between) fail("two boots that find different states");
            }
            model_keep(&accident_site);
            if (twice) interrupt_twice(flash, before, number, between, &accident_site);
            model_restore(&accident_site);
            save_at_last(flash, 3, here.kind == WEAK);
        }
        model_restore(&start);
    }
    here.cut = 0;
    here.kind = NOT_STARTED;
    if (number == CLEAR) {
        if (fw_storage_clear(flash) != STORAGE_OK || boot(flash) != -STORAGE_EMPTY) fail("a clear");
    } else if (save(flash, number, LAYOUT) != STORAGE_OK || boot(flash) != (int)number) {
        fail("a save");
    }
}

/* ---- Damage without a power cut: every bit of everything that was written ---- */

static void corrupt_every_bit(const geometry *g) {
    snapshot start;
    uint32_t refused = 0;
    here.operation = "corruption";
    for (uint32_t count = 1; count <= 2; count++) {
        const hal_flash *flash = model_start(g);
        prepare_saves(flash, count);
        model_keep(&start);
        storage_info info;
        fw_storage_load(flash, LAYOUT, NULL, here.length, NULL, &info);
        for (uint32_t bit = 0; bit < 8u * (128u + here.length); bit++) {
            here.cut = bit;
            model_restore(&start);
            model_corrupt(info.slot, bit / 8, (uint8_t)(1u << bit % 8));
            const int found = boot(flash);
            const bool right = found == 1 || (count == 1 ? nothing(found) : found == 2);
            if (!right) fail("a corrupted slot");
            refused += found != 1;
            if (bit / 8 >= 128 && found == 1) fail("a wrong bit that nobody noticed");
        }
    }
    if (refused < 2u * 8u * here.length) fail("corruption that has no effect");
    here.cut = 0;
}

/* "brief" as argument: one length, no pairs of accidents (for slow sanitizers). */
int main(int count, char **arguments) {
    static const uint32_t lengths[] = {1, 45, LONGEST};
    const bool brief = count > 1 && strcmp(arguments[1], "brief") == 0;
    for (uint32_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++) {
        here.g = &geometries[i];
        for (uint32_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            here.length = lengths[l];
            if (brief && l != 1) continue;
            for (uint32_t history = 0; history < HISTORIES; history++) {
                /* Pairs of accidents where there are few operations: by bytes they would take minutes. */
                const bool twice = l == 0 && here.g->unit > 1 && history < PAIRED_HISTORIES;
                for (uint32_t number = CLEAR; number <= 2; number += 2) {
                    const hal_flash *flash = model_start(here.g);
                    prepare(flash, history);
                    interrupt_at_every_operation(flash, number, twice);
                }
            }
            here.history = "saves";
            corrupt_every_bit(here.g);
        }
    }
    printf("accidents %u second accidents %u boots %u\n", (unsigned)cuts, (unsigned)double_cuts,
           (unsigned)boots);
    return 0;
}
