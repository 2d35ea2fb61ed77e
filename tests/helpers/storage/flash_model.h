/* A flash that obeys the rules of firmware/hal/flash.h and whose power can be cut at any operation.
 *
 * An operation is the erasing of one sector or the programming of one unit. Only the first WINDOW bytes of
 * each slot hold anything; the test's states are small, so programming beyond is a failure of the test.
 */
#ifndef FLASH_MODEL_H
#define FLASH_MODEL_H

#include <setjmp.h>
#include <stdbool.h>

#include "flash.h"

#define WINDOW 320u

typedef struct geometry {
    const char *name;
    uint32_t slots[HAL_FLASH_SLOTS];
    uint32_t slot_bytes, sector_bytes, unit;
    bool has_error_code; /* of each unit: one that is partly programmed or erased cannot be read */
} geometry;

/* What the interrupted operation leaves. */
typedef enum accident {
    NOT_STARTED,
    TORN, /* a random part of its bits has changed, for good */
    WEAK, /* its bits read as before, as wanted, or at random, anew with every read until they are erased */
    DONE, /* all of it, but nobody saw it */
    FAILED_DONE, /* no power cut: the controller reports an error, though all of it was done */
    FAILED_TORN, /* the same, but only a part of the bits has changed */
    ACCIDENTS
} accident;

/* A blank flash with this geometry. */
const hal_flash *model_start(const geometry *g);

/* The accident happens at operation number `at`, counted from now on; 0: never. */
void model_arm(uint32_t at, accident kind);
uint32_t model_operations(void); /* since then */
bool model_struck(void);         /* whether the accident has happened */

/* Where a power cut goes: setjmp before each call into the storage. */
extern jmp_buf model_power_cut;

/* Everything that the flash holds, to begin again from the same state. */
typedef struct snapshot snapshot;
typedef struct cells {
    uint8_t now[WINDOW];
    uint8_t weak[WINDOW]; /* bits that are undecided: before = now ^ weak */
    uint8_t used[WINDOW]; /* per unit (at its first byte): programmed since the sector was erased */
    uint8_t bad[WINDOW];  /* per unit: its error code is wrong */
} cells;
struct snapshot {
    cells slots[HAL_FLASH_SLOTS];
};
void model_keep(snapshot *s);
void model_restore(const snapshot *s);

/* Flips bits behind the controller's back (not noticed by an error code). */
void model_corrupt(uint32_t slot, uint32_t offset, uint8_t bits);

uint32_t model_random(void);

/* Prints a sentence with what was being tested, and ends with status 1. */
void fail(const char *what) __attribute__((noreturn));

#endif
