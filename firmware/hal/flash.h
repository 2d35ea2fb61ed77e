/* The part of the flash that keeps the trained state: two slots of whole sectors, behind the few operations
 * that every microcontroller's flash has. One driver per flash controller in hal/<driver>/.
 *
 * Rules that hold for all of them and that storage.c obeys:
 * - An erased byte is 0xFF. Erasing works on whole sectors and nothing else.
 * - Bytes are programmed in aligned groups of `unit`, each group at most once after its sector was erased
 *   (the STM32H7 keeps an error code beside each group; the others would allow more, nobody asks them to).
 * - Power may fail at any time. What was being programmed or erased then holds anything, and on
 *   controllers with an error code reading it may fail.
 *
 * Where program and slots share a bank (STM32F4, STM32F7) the core stands still as soon as it fetches an
 * instruction during an operation: up to 4 seconds for an erase. Interrupts wait as well, so received bytes
 * are lost (and counted) and the millisecond counter falls behind. The host must be told not to send before
 * a save: the protocol's BUSY answer does that.
 */
#ifndef FLASH_H
#define FLASH_H

#include <stdint.h>

#define HAL_FLASH_SLOTS 2u
#define HAL_FLASH_LARGEST_UNIT 32u

typedef enum hal_flash_status {
    HAL_FLASH_OK,
    HAL_FLASH_REFUSED, /* not aligned, outside the slots, or write-protected: nothing happened */
    HAL_FLASH_FAILED,  /* the controller reported an error, or does not answer */
    HAL_FLASH_DAMAGED, /* read: the error code says that the bytes are wrong */
} hal_flash_status;

typedef struct hal_flash {
    uint32_t slots[HAL_FLASH_SLOTS]; /* addresses of the slots */
    uint32_t slot_bytes;             /* of each; a multiple of sector_bytes */
    uint32_t sector_bytes;           /* erased at once */
    uint32_t unit;                   /* programmed at once: 1, 4 or 32 bytes */
    /* Any address and length inside one slot. `data` is undefined unless the answer is OK. */
    hal_flash_status (*read)(uint32_t address, uint8_t *data, uint32_t bytes);
    /* The sector that starts at `address`. */
    hal_flash_status (*erase_sector)(uint32_t address);
    /* Address and length are multiples of `unit`, inside one slot; `data` may have any alignment. */
    hal_flash_status (*program)(uint32_t address, const uint8_t *data, uint32_t bytes);
} hal_flash;

/* The board's, or NULL if it has none (a simulated board that was started without a file for it). */
const hal_flash *hal_flash_open(void);

#endif
