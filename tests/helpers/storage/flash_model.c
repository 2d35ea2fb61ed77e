#include "flash_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    const geometry *g;
    hal_flash flash;
    snapshot memory;
    uint32_t operations, at;
    accident kind;
    bool struck;
} model;
jmp_buf model_power_cut;

static uint32_t random_state = 2463534242u;

uint32_t model_random(void) { /* xorshift32 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Which slot an address lies in, and where; ends the test if it lies elsewhere. */
static cells *locate(uint32_t address, uint32_t bytes, uint32_t *offset) {
    for (uint32_t i = 0; i < HAL_FLASH_SLOTS; i++) {
        const uint32_t start = model.g->slots[i];
        if (address >= start && bytes <= model.g->slot_bytes &&
            address - start <= model.g->slot_bytes - bytes) {
            *offset = address - start;
            return &model.memory.slots[i];
        }
    }
    fail("an access outside the slots");
}

static bool cuts_power(void) {
    return model.kind != FAILED_TORN && model.kind != FAILED_DONE;
}

/* True if the accident is to happen in this operation. */
static bool strikes(void) {
    model.operations++;
    if (model.struck && cuts_power()) fail("the power came back by itself");
    if (model.operations != model.at) return false;
    model.struck = true;
    return true;
}

static hal_flash_status read(uint32_t address, uint8_t *data, uint32_t bytes) {
    uint32_t offset;
    const cells *c = locate(address, bytes, &offset);
    const uint32_t mood = model_random() % 3u; /* of undecided bits, in this read */
    hal_flash_status answer = HAL_FLASH_OK;
    for (uint32_t i = 0; i < bytes; i++, offset++) {
        if (offset >= WINDOW) {
            data[i] = 0xFF;
            continue;
        }
        const uint32_t unit = offset & ~(model.g->unit - 1u);
        const uint8_t flips = (uint8_t)(mood == 0 ? 0u : mood == 1 ? 0xFFu : model_random());
        data[i] = (uint8_t)(c->now[offset] ^ (c->weak[offset] & flips));
        if (c->bad[unit] || (model.g->has_error_code && mood == 2 && c->weak[offset]))
            answer = HAL_FLASH_DAMAGED;
    }
    if (answer == HAL_FLASH_DAMAGED) memset(data, 0x5A, bytes);
    return answer;
}

/* Gives `bytes` bytes from `offset` on new values, or what the accident makes of that. */
static void change(cells *c, uint32_t offset, uint32_t bytes, const uint8_t *wanted, bool accident_now) {
    bool some = false, all = true;
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t *now = &c->now[offset + i], *weak = &c->weak[offset + i];
        const uint8_t differs = *now ^ wanted[i];
        if (!accident_now || model.kind == DONE || model.kind == FAILED_DONE) {
            *now = wanted[i];
            *weak = 0;
        } else if (model.kind == WEAK) {
            *now = wanted[i];
            *weak |= differs;
        } else {
            const uint8_t changed = (uint8_t)(differs & model_random());
            *now ^= changed;
            some |= changed != 0;
            all &= changed == differs;
        }
    }
    const bool torn = accident_now && (model.kind == TORN || model.kind == FAILED_TORN);
    if (torn && model.g->has_error_code) c->bad[offset] = some && !all;
}

static void end_operation(bool accident_now) {
    if (accident_now && cuts_power()) longjmp(model_power_cut, 1);
}

static hal_flash_status erase_sector(uint32_t address) {
    uint32_t offset;
    cells *c = locate(address, model.g->sector_bytes, &offset);
    if (offset % model.g->sector_bytes) fail("erasing at an address that is not a sector's");
    const bool now = strikes();
    if (offset == 0 && !(now && model.kind == NOT_STARTED)) {
        uint8_t blank[HAL_FLASH_LARGEST_UNIT];
        memset(blank, 0xFF, sizeof blank);
        for (uint32_t at = 0; at < WINDOW; at += model.g->unit) {
            change(c, at, model.g->unit, blank, now);
            if (now && model.kind != DONE && model.kind != FAILED_DONE)
                continue; /* it must be erased again before it is programmed */
            c->used[at] = c->bad[at] = 0;
        }
    }
    end_operation(now);
    return now ? HAL_FLASH_FAILED : HAL_FLASH_OK;
}

static hal_flash_status program_unit(cells *c, uint32_t offset, const uint8_t *data) {
    const bool now = strikes();
    if (!(now && model.kind == NOT_STARTED)) {
        const uint32_t unit = model.g->unit;
        uint8_t wanted[HAL_FLASH_LARGEST_UNIT];
        bool undecided = false;
        for (uint32_t i = 0; i < unit; i++) {
            undecided |= c->weak[offset + i] != 0;
            wanted[i] = c->now[offset + i] & data[i]; /* only ones become zeros */
        }
        if (c->used[offset] && !undecided) fail("a unit was programmed twice");
        uint8_t before[HAL_FLASH_LARGEST_UNIT];
        memcpy(before, c->now + offset, unit);
        change(c, offset, unit, wanted, now);
        if (undecided && model.g->has_error_code) c->bad[offset] = 1;
        c->used[offset] = !now || memcmp(before, c->now + offset, unit) != 0;
        if (!now && memcmp(c->now + offset, data, unit) != 0 && !undecided) fail("bits that were not erased");
    }
    end_operation(now);
    return now ? HAL_FLASH_FAILED : HAL_FLASH_OK;
}

static hal_flash_status program(uint32_t address, const uint8_t *data, uint32_t bytes) {
    uint32_t offset;
    cells *c = locate(address, bytes, &offset);
    if (!bytes || offset % model.g->unit || bytes % model.g->unit) fail("programming parts of units");
    if (offset + bytes > WINDOW) fail("the test's window is too small");
    for (uint32_t i = 0; i < bytes; i += model.g->unit) {
        const hal_flash_status answer = program_unit(c, offset + i, data + i);
        if (answer != HAL_FLASH_OK) return answer;
    }
    return HAL_FLASH_OK;
}

const hal_flash *model_start(const geometry *g) {
    model.g = g;
    model.flash = (hal_flash){
        {g->slots[0], g->slots[1]}, g->slot_bytes, g->sector_bytes, g->unit, read, erase_sector, program};
    memset(&model.memory, 0, sizeof model.memory);
    for (uint32_t i = 0; i < HAL_FLASH_SLOTS; i++) memset(model.memory.slots[i].now, 0xFF, WINDOW);
    model_arm(0, NOT_STARTED);
    return &model.flash;
}

void model_arm(uint32_t at, accident kind) {
    model.operations = 0;
    model.at = at;
    model.kind = kind;
    model.struck = false;
}

uint32_t model_operations(void) {
    return model.operations;
}

bool model_struck(void) {
    return model.struck;
}

void model_keep(snapshot *s) {
    *s = model.memory;
}

void model_restore(const snapshot *s) {
    model.memory = *s;
}

void model_corrupt(uint32_t slot, uint32_t offset, uint8_t bits) {
    model.memory.slots[slot].now[offset] ^= bits;
}
