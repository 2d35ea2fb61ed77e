/* The trained state in flash, so that it survives power loss: docs/storage.md has the format and the rules.
 *
 * Two slots; a save fills the one that does not hold the state to keep, so that at every instant the last
 * complete state, old or new, can be found. Each call reads the flash afresh: there is nothing to initialize,
 * no state in SRAM, and no order of calls to keep.
 */
#ifndef STORAGE_H
#define STORAGE_H

#include <stdint.h>

#include "flash.h"

#define STORAGE_ID_DIGITS 16u    /* of layout and model hash */
#define STORAGE_NAMES_BYTES 256u /* of the names of all classes */

/* What the outputs of a trained classifier are called, in their order: UTF-8 texts, each with a zero at its
 * end. */
typedef struct storage_names {
    uint16_t length; /* bytes of all of them; 0: they have no names */
    uint8_t text[STORAGE_NAMES_BYTES];
} storage_names;

typedef enum {
    STORAGE_OK,
    STORAGE_EMPTY,         /* nothing has been saved (completely) since the last clear */
    STORAGE_FOREIGN_MODEL, /* what is there has another layout: other network, scheme, classes or options */
    STORAGE_OTHER_VERSION, /* a firmware with another format wrote it: neither read nor overwritten */
    STORAGE_DAMAGED,       /* something was saved, but its bytes have changed since */
    STORAGE_TOO_LARGE,     /* the state does not fit a slot */
    STORAGE_FLASH_ERROR,   /* the flash controller failed, or what was programmed reads otherwise */
    STORAGE_ABSENT,        /* this board has no flash for it */
} storage_status;

/* What a slot says about its state. */
typedef struct storage_info {
    uint32_t generation; /* 1 for the first save, then rising */
    uint32_t steps;      /* training steps behind the state, as given to fw_storage_save */
    uint32_t bytes;      /* of the state */
    uint8_t slot;        /* 0 or 1 */
    uint8_t fallback; /* with OK: 1 if a newer state was saved but is damaged, so that this is an older one */
    char layout[STORAGE_ID_DIGITS + 1], model_hash[STORAGE_ID_DIGITS + 1];
} storage_info;

/* Copies the newest state with this layout and exactly this length to `data` (NULL: only looks for it).
 *
 * Its names come along: `names` may be NULL. Everything is checked in flash first. With any answer but OK
 * nothing was copied, except that FLASH_ERROR may leave a part: reset the trainer then. `info` (may be NULL) describes the state that was found, also
 * with FOREIGN_MODEL and OTHER_VERSION (of that only generation and slot); with other answers it is zero. */
storage_status fw_storage_load(const hal_flash *flash, const char *layout, uint8_t *data, uint32_t bytes,
                               storage_names *names, storage_info *info);

/* Writes `data`, and `names` with it (NULL: none), as the newest state. OK means that it has been read back and that it will be what
 * fw_storage_load finds; with any other answer, and after a power loss, the former one still is.
 *
 * A foreign state is no obstacle, but a save replaces at most one slot: the newest other one survives the
 * first save. OTHER_VERSION: refused, fw_storage_clear must come first. `info` may be NULL.
 * Takes as long as erasing what fw_storage_save_erases says: some seconds; tell the host before (flash.h). */
storage_status fw_storage_save(const hal_flash *flash, const char *layout, const char *model_hash,
                               const uint8_t *data, uint32_t bytes, const storage_names *names,
                               uint32_t steps, storage_info *info);

/* Bytes of whole sectors that fw_storage_save would erase for a state and names of these lengths, if the
 * flash does not fail: those that it fills, and the other slot's first where there is nothing to keep; 0
 * where it refuses. */
uint32_t fw_storage_save_erases(const hal_flash *flash, const char *layout, uint32_t bytes,
                                uint32_t names_bytes);

/* Erases both slots, whatever they hold, the newer one last: a power loss on the way leaves the newest state
 * or none, never an older one. */
storage_status fw_storage_clear(const hal_flash *flash);

#endif
