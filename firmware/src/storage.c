#include "storage.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "crc32.h"

/* A slot: header, commit mark, keep mark, state, names (docs/storage.md). Multiples of the largest unit, so that the
 * bytes are the same on every board and no unit is programmed twice. */
#define FORMAT_VERSION 2u
#define NAMELESS_VERSION 1u /* the same without names: what stands in their place is zero */
#define HEADER_BYTES 64u
#define HEADER_CRC_AT 60u
#define MARK_BYTES 32u
#define COMMIT_AT HEADER_BYTES
#define KEEP_AT (COMMIT_AT + MARK_BYTES)
#define DATA_AT (KEEP_AT + MARK_BYTES)

_Static_assert(HEADER_BYTES % HAL_FLASH_LARGEST_UNIT == 0 && MARK_BYTES % HAL_FLASH_LARGEST_UNIT == 0,
               "parts that are programmed separately share no unit");

static const uint8_t magic[4] = {'T', 'E', 'W', 'S'};
static const uint8_t mark_magic[4] = {'D', 'O', 'N', 'E'};

typedef enum mark {
    MARK_BLANK,
    MARK_SET,  /* complete */
    MARK_TORN, /* anything else: power failed while it was programmed or erased */
} mark;

typedef enum slot_state {
    SLOT_INCOMPLETE, /* no mark: erased, or a save that did not end */
    SLOT_COMPLETE,
    SLOT_OTHER_VERSION,
    SLOT_DAMAGED,
} slot_state;

typedef struct slot {
    uint32_t address;
    slot_state state;
    bool known; /* header and marks agree: info is filled in, though the data may be damaged */
    mark keep;
    storage_info info;
    uint32_t header_crc, data_crc; /* data: the state, then the names */
    uint32_t names_bytes;
} slot;

/* Where the names begin, from the slot's first byte: a new unit. */
static uint32_t names_at(uint32_t state_bytes) {
    return DATA_AT +
           (state_bytes + HAL_FLASH_LARGEST_UNIT - 1u) / HAL_FLASH_LARGEST_UNIT * HAL_FLASH_LARGEST_UNIT;
}

/* The bytes of a slot that these fill. */
static uint32_t filled_bytes(uint32_t state_bytes, uint32_t names_bytes) {
    return names_bytes ? names_at(state_bytes) + names_bytes : DATA_AT + state_bytes;
}

static bool fits(const hal_flash *flash, uint32_t state_bytes, uint32_t names_bytes) {
    return state_bytes <= flash->slot_bytes - DATA_AT && names_bytes <= STORAGE_NAMES_BYTES &&
           filled_bytes(state_bytes, names_bytes) <= flash->slot_bytes;
}

/* ---- Reading ---- */

/* False only if the controller fails. Bytes that its error code declares wrong set *readable to false. */
static bool read_bytes(const hal_flash *flash, uint32_t address, uint8_t *data, uint32_t bytes,
                       bool *readable) {
    const hal_flash_status answer = flash->read(address, data, bytes);
    *readable = answer == HAL_FLASH_OK;
    return *readable || answer == HAL_FLASH_DAMAGED;
}

static bool all_bytes(const uint8_t *data, uint32_t bytes, uint8_t value) {
    for (uint32_t i = 0; i < bytes; i++) {
        if (data[i] != value) return false;
    }
    return true;
}

/* *header_crc is what the mark says if it is set. */
static bool read_mark(const hal_flash *flash, uint32_t address, mark *found, uint32_t *header_crc) {
    uint8_t m[MARK_BYTES];
    bool readable;
    *found = MARK_TORN;
    if (!read_bytes(flash, address, m, sizeof m, &readable)) return false;
    if (!readable) return true;
    if (all_bytes(m, sizeof m, 0xFF)) *found = MARK_BLANK;
    if (memcmp(m, mark_magic, 4) == 0 && all_bytes(m + 8, sizeof m - 8, 0)) {
        *found = MARK_SET;
        *header_crc = get_u32(m + 4);
    }
    return true;
}

/* Goes on with *crc over bytes in flash, while they are readable. */
static bool add_to_crc(const hal_flash *flash, uint32_t address, uint32_t bytes, uint32_t *crc,
                       bool *readable) {
    uint8_t piece[128];
    for (uint32_t left = bytes; left && *readable;) {
        const uint32_t n = left < sizeof piece ? left : (uint32_t)sizeof piece;
        if (!read_bytes(flash, address, piece, n, readable)) return false;
        *crc = fw_crc32(*crc, piece, n);
        address += n;
        left -= n;
    }
    return true;
}

static bool data_is_intact(const hal_flash *flash, const slot *s, bool *intact) {
    uint32_t crc = 0;
    *intact = true;
    if (!add_to_crc(flash, s->address + DATA_AT, s->info.bytes, &crc, intact) ||
        !add_to_crc(flash, s->address + names_at(s->info.bytes), s->names_bytes, &crc, intact))
        return false;
    *intact = *intact && crc == s->data_crc;
    return true;
}

/* False: the controller fails. */
static bool inspect(const hal_flash *flash, uint8_t number, slot *s) {
    uint8_t header[HEADER_BYTES];
    bool readable;
    mark commit;
    uint32_t commit_crc = 0, keep_crc = 0;
    memset(s, 0, sizeof *s);
    s->address = flash->slots[number];
    s->info.slot = number;
    if (!read_bytes(flash, s->address, header, sizeof header, &readable)) return false;
    if (!read_mark(flash, s->address + COMMIT_AT, &commit, &commit_crc)) return false;
    if (!read_mark(flash, s->address + KEEP_AT, &s->keep, &keep_crc)) return false;
    if (commit != MARK_SET && s->keep != MARK_SET) {
        s->state = SLOT_INCOMPLETE;
        return true;
    }
    s->state = SLOT_DAMAGED;
    s->header_crc = readable ? get_u32(header + HEADER_CRC_AT) : 0;
    if (!readable || memcmp(header, magic, 4) != 0 || fw_crc32(0, header, HEADER_CRC_AT) != s->header_crc)
        return true;
    if ((commit == MARK_SET && commit_crc != s->header_crc) ||
        (s->keep == MARK_SET && keep_crc != s->header_crc))
        return true;
    s->known = true;
    s->info.generation = get_u32(header + 8);
    const uint16_t version = get_u16(header + 4);
    if (version != FORMAT_VERSION && version != NAMELESS_VERSION) { /* only what is before it is the same */
        s->state = SLOT_OTHER_VERSION;
        return true;
    }
    s->info.bytes = get_u32(header + 12);
    s->info.steps = get_u32(header + 16);
    s->data_crc = get_u32(header + 20);
    memcpy(s->info.layout, header + 24, STORAGE_ID_DIGITS);
    memcpy(s->info.model_hash, header + 40, STORAGE_ID_DIGITS);
    s->names_bytes = get_u16(header + 56);
    if (!fits(flash, s->info.bytes, s->names_bytes)) return true;
    bool intact = true;
    if (!data_is_intact(flash, s, &intact)) return false;
    if (intact) s->state = SLOT_COMPLETE;
    return true;
}

static bool inspect_all(const hal_flash *flash, slot slots[HAL_FLASH_SLOTS]) {
    for (uint8_t i = 0; i < HAL_FLASH_SLOTS; i++) {
        if (!inspect(flash, i, &slots[i])) return false;
    }
    return true;
}

/* ---- Choosing ---- */

/* Generations wrap; two that exist at the same time are one apart, or two after a damaged slot. */
static bool is_newer(const slot *s, const slot *than) {
    return (int32_t)(s->info.generation - than->info.generation) > 0;
}

static bool has_layout(const slot *s, const char *layout) {
    return s->known && s->state != SLOT_OTHER_VERSION &&
           strncmp(s->info.layout, layout, STORAGE_ID_DIGITS) == 0;
}

/* The newest complete state, of any layout if it is NULL; NULL: there is none. */
static slot *newest(slot slots[HAL_FLASH_SLOTS], const char *layout) {
    slot *best = NULL;
    for (uint32_t i = 0; i < HAL_FLASH_SLOTS; i++) {
        slot *s = &slots[i];
        if (s->state != SLOT_COMPLETE || (layout && !has_layout(s, layout))) continue;
        if (!best || is_newer(s, best)) best = s;
    }
    return best;
}

static slot *with_state(slot slots[HAL_FLASH_SLOTS], slot_state state) {
    for (uint32_t i = 0; i < HAL_FLASH_SLOTS; i++) {
        if (slots[i].state == state) return &slots[i];
    }
    return NULL;
}

/* ---- Load ---- */

static storage_status find(slot slots[HAL_FLASH_SLOTS], const char *layout, uint32_t bytes, slot **found) {
    *found = with_state(slots, SLOT_OTHER_VERSION);
    if (*found) return STORAGE_OTHER_VERSION;
    slot *damaged = with_state(slots, SLOT_DAMAGED);
    *found = newest(slots, layout);
    if (*found) {
        (*found)->info.fallback = damaged && damaged->known && is_newer(damaged, *found);
        return (*found)->info.bytes == bytes ? STORAGE_OK : STORAGE_FOREIGN_MODEL;
    }
    if (damaged && has_layout(damaged, layout)) return STORAGE_DAMAGED;
    *found = newest(slots, NULL);
    if (*found) return STORAGE_FOREIGN_MODEL;
    return damaged ? STORAGE_DAMAGED : STORAGE_EMPTY;
}

static bool copy(const hal_flash *flash, const slot *s, uint8_t *data, storage_names *names) {
    const uint32_t at = s->address + names_at(s->info.bytes);
    bool readable = true;
    if (flash->read(s->address + DATA_AT, data, s->info.bytes) != HAL_FLASH_OK) return false;
    uint32_t crc = fw_crc32(0, data, s->info.bytes);
    if (!names)
        return add_to_crc(flash, at, s->names_bytes, &crc, &readable) && readable && crc == s->data_crc;
    names->length = (uint16_t)s->names_bytes;
    if (names->length && flash->read(at, names->text, names->length) != HAL_FLASH_OK) return false;
    return fw_crc32(crc, names->text, names->length) == s->data_crc;
}

storage_status fw_storage_load(const hal_flash *flash, const char *layout, uint8_t *data, uint32_t bytes,
                               storage_names *names, storage_info *info) {
    slot slots[HAL_FLASH_SLOTS], *found;
    if (info) memset(info, 0, sizeof *info);
    if (!flash) return STORAGE_ABSENT;
    if (!inspect_all(flash, slots)) return STORAGE_FLASH_ERROR;
    bool failed = false;
    for (;;) {
        const storage_status status = find(slots, layout, bytes, &found);
        if (info && found) *info = found->info;
        if (status != STORAGE_OK && failed) {
            if (info) memset(info, 0, sizeof *info);
            return STORAGE_FLASH_ERROR;
        }
        if (status != STORAGE_OK) return status;
        if (!data || copy(flash, found, data, names)) return STORAGE_OK;
        /* Undecided bits of an interrupted erase: they were right a moment ago. The other slot may stand
         * in. */
        found->state = SLOT_DAMAGED;
        failed = true;
    }
}

/* ---- Save ---- */

/* The state that a save leaves alone; NULL: there is none. */
static slot *to_keep(slot slots[HAL_FLASH_SLOTS], const char *layout) {
    slot *kept = newest(slots, layout);
    return kept ? kept : newest(slots, NULL);
}

/* All the sectors that `bytes` begin to fill. */
static bool erase(const hal_flash *flash, uint32_t address, uint32_t bytes) {
    for (uint32_t done = 0; done < bytes; done += flash->sector_bytes) {
        if (flash->erase_sector(address + done) != HAL_FLASH_OK) return false;
    }
    return true;
}

/* `bytes` of any number: the last unit is filled up with ones. */
static bool program(const hal_flash *flash, uint32_t address, const uint8_t *data, uint32_t bytes) {
    const uint32_t rest = bytes % flash->unit, whole = bytes - rest;
    if (whole && flash->program(address, data, whole) != HAL_FLASH_OK) return false;
    if (!rest) return true;
    uint8_t last[HAL_FLASH_LARGEST_UNIT];
    memset(last, 0xFF, sizeof last);
    memcpy(last, data + whole, rest);
    return flash->program(address + whole, last, flash->unit) == HAL_FLASH_OK;
}

/* Programs a mark and reads it back. */
static bool set_mark(const hal_flash *flash, uint32_t address, uint32_t header_crc) {
    uint8_t m[MARK_BYTES] = {0};
    mark found;
    uint32_t crc = 0;
    memcpy(m, mark_magic, 4);
    writer w = {.data = m + 4, .capacity = 4};
    put_u32(&w, header_crc);
    return program(flash, address, m, sizeof m) && read_mark(flash, address, &found, &crc) &&
           found == MARK_SET && crc == header_crc;
}

static void put_header(uint8_t header[HEADER_BYTES], const slot *s) {
    memset(header, 0, HEADER_BYTES);
    writer w = {.data = header, .capacity = HEADER_BYTES};
    put_bytes(&w, magic, sizeof magic);
    put_u16(&w, FORMAT_VERSION);
    put_u16(&w, DATA_AT);
    put_u32(&w, s->info.generation);
    put_u32(&w, s->info.bytes);
    put_u32(&w, s->info.steps);
    put_u32(&w, s->data_crc);
    put_bytes(&w, s->info.layout, STORAGE_ID_DIGITS);
    put_bytes(&w, s->info.model_hash, STORAGE_ID_DIGITS);
    put_u16(&w, (uint16_t)s->names_bytes);
    w.length = HEADER_CRC_AT;
    put_u32(&w, fw_crc32(0, header, HEADER_CRC_AT));
}

/* Everything but the mark, read back. */
static bool fill_slot(const hal_flash *flash, slot *s, const uint8_t *data, const storage_names *names) {
    uint8_t header[HEADER_BYTES], back[HEADER_BYTES];
    bool intact = true;
    put_header(header, s);
    s->header_crc = get_u32(header + HEADER_CRC_AT);
    return erase(flash, s->address, filled_bytes(s->info.bytes, s->names_bytes)) &&
           program(flash, s->address + DATA_AT, data, s->info.bytes) &&
           (!s->names_bytes ||
            program(flash, s->address + names_at(s->info.bytes), names->text, s->names_bytes)) &&
           program(flash, s->address, header, sizeof header) &&
           flash->read(s->address, back, sizeof back) == HAL_FLASH_OK &&
           memcmp(header, back, sizeof back) == 0 && data_is_intact(flash, s, &intact) && intact;
}

static void put_id(char id[STORAGE_ID_DIGITS + 1], const char *text) {
    memset(id, 0, STORAGE_ID_DIGITS + 1);
    for (uint32_t i = 0; i < STORAGE_ID_DIGITS && text[i]; i++) id[i] = text[i];
}

storage_status fw_storage_save(const hal_flash *flash, const char *layout, const char *model_hash,
                               const uint8_t *data, uint32_t bytes, const storage_names *names,
                               uint32_t steps, storage_info *info) {
    slot slots[HAL_FLASH_SLOTS];
    const uint32_t names_bytes = names ? names->length : 0;
    if (info) memset(info, 0, sizeof *info);
    if (!flash) return STORAGE_ABSENT;
    if (!fits(flash, bytes, names_bytes)) return STORAGE_TOO_LARGE;
    if (!inspect_all(flash, slots)) return STORAGE_FLASH_ERROR;
    if (with_state(slots, SLOT_OTHER_VERSION)) return STORAGE_OTHER_VERSION;

    slot *kept = to_keep(slots, layout);
    slot *target = kept == &slots[0] ? &slots[1] : &slots[0];

    /* The kept state's commit mark may be weak: power may have failed just as it was programmed, and it may
     * read otherwise the next time. Until now the other slot would have stood in; now that goes. */
    if (kept && kept->keep == MARK_BLANK && !set_mark(flash, kept->address + KEEP_AT, kept->header_crc))
        return STORAGE_FLASH_ERROR;

    /* With nothing to keep, nothing may stay either: what an interrupted clear has left must not come back as
     * a later generation than the new one. */
    slot *other = target == &slots[0] ? &slots[1] : &slots[0];
    if (!kept && !erase(flash, other->address, DATA_AT)) return STORAGE_FLASH_ERROR;

    uint32_t generation = 0;
    for (uint32_t i = 0; i < HAL_FLASH_SLOTS; i++) {
        const uint32_t theirs = slots[i].info.generation;
        if (slots[i].known && (!generation || (int32_t)(theirs - generation) > 0)) generation = theirs;
    }
    target->info.generation = generation + 1u;
    target->info.bytes = bytes;
    target->info.steps = steps;
    target->info.fallback = 0;
    put_id(target->info.layout, layout);
    put_id(target->info.model_hash, model_hash);
    target->names_bytes = names_bytes;
    target->data_crc = fw_crc32(0, data, bytes);
    if (names_bytes) target->data_crc = fw_crc32(target->data_crc, names->text, names_bytes);
    if (!fill_slot(flash, target, data, names)) return STORAGE_FLASH_ERROR;
    if (!set_mark(flash, target->address + COMMIT_AT, target->header_crc)) {
        /* It may count later, and the caller is told now that it does not. */
        (void)flash->erase_sector(target->address);
        return STORAGE_FLASH_ERROR;
    }
    if (info) *info = target->info;
    return STORAGE_OK;
}

uint32_t fw_storage_save_erases(const hal_flash *flash, const char *layout, uint32_t bytes,
                                uint32_t names_bytes) {
    slot slots[HAL_FLASH_SLOTS];
    if (!flash || !fits(flash, bytes, names_bytes)) return 0;
    if (!inspect_all(flash, slots) || with_state(slots, SLOT_OTHER_VERSION)) return 0;
    const uint32_t sector = flash->sector_bytes;
    const uint32_t filled = (filled_bytes(bytes, names_bytes) + sector - 1u) / sector * sector;
    return to_keep(slots, layout) ? filled : filled + (DATA_AT + sector - 1u) / sector * sector;
}

/* ---- Clear ---- */

/* Which slot the next boot would take, as far as that can be told. */
static uint32_t likeliest(slot slots[HAL_FLASH_SLOTS]) {
    const bool first = slots[0].state == SLOT_COMPLETE, second = slots[1].state == SLOT_COMPLETE;
    if (first != second) return second;
    return is_newer(&slots[1], &slots[0]);
}

storage_status fw_storage_clear(const hal_flash *flash) {
    slot slots[HAL_FLASH_SLOTS];
    if (!flash) return STORAGE_ABSENT;
    if (!inspect_all(flash, slots)) return STORAGE_FLASH_ERROR;
    const uint32_t last = likeliest(slots);
    if (!erase(flash, slots[1u - last].address, flash->slot_bytes)) return STORAGE_FLASH_ERROR;
    if (!erase(flash, slots[last].address, flash->slot_bytes)) return STORAGE_FLASH_ERROR;
    if (!inspect_all(flash, slots)) return STORAGE_FLASH_ERROR;
    return slots[0].state == SLOT_INCOMPLETE && slots[1].state == SLOT_INCOMPLETE ? STORAGE_OK
                                                                                  : STORAGE_FLASH_ERROR;
}
