/* Consistent Overhead Byte Stuffing (S. Cheshire, M. Baker, IEEE/ACM Trans. Networking 7(2), 1999): data
 * without zero bytes, so that zero can separate frames. A code byte n stands in front of n - 1 literal bytes
 * and, unless n = 255 or the frame ends, for a zero after them.
 */
#ifndef COBS_H
#define COBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes byte by byte into a caller's buffer. */
typedef struct cobs_decoder {
    uint8_t *buffer;
    size_t capacity, length;
    uint8_t left; /* literal bytes still to come in this block */
    uint8_t code; /* code of this block; 0: no block yet */
    bool overflow;
} cobs_decoder;

typedef enum cobs_event {
    COBS_MORE,    /* inside a frame */
    COBS_FRAME,   /* complete: buffer[0 .. length - 1] */
    COBS_NOTHING, /* two separators in a row */
    COBS_BROKEN,  /* cut in the middle of a block */
    COBS_TOO_LONG /* more than capacity */
} cobs_event;

/* Forgets what came so far. */
void fw_cobs_restart(cobs_decoder *decoder);

/* Takes one byte. After anything but COBS_MORE the caller uses the frame, then calls fw_cobs_restart. */
cobs_event fw_cobs_take(cobs_decoder *decoder, uint8_t byte);

/* Length of the block at the start of `data`: literal bytes, at most 254 of `length`. Its code byte is that
 * plus one; a zero follows in the data if fewer than 254 were taken and the data goes on. */
size_t fw_cobs_block(const uint8_t *data, size_t length);

#endif
