/* Large payloads in both directions: OPEN + DATA towards the device, READ from it (docs/protocol.md,
 * "Transfers").
 *
 * The application describes what can be written and read by two tables; this file owns order, duplicates,
 * gaps and flow control.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "link.h"
#include "protocol.h"

/* What the host may send in one piece. */
typedef struct transfer_shape {
    uint16_t unit;  /* every chunk is a multiple of this many bytes */
    uint16_t chunk; /* and at most so long */
} transfer_shape;

/* Something that can be written. `accept` gets the bytes in order, each exactly once; it may use the space
 * behind them up to LINK_DATA_BYTES. `open` forgets a transfer that was not completed. */
typedef struct transfer_target {
    uint8_t id;
    status (*open)(uint8_t index, uint8_t flags, uint32_t length, transfer_shape *shape);
    status (*accept)(uint32_t offset, uint8_t *data, uint32_t length);
} transfer_target;

/* Something that can be read: `size` says how many bytes there are, `read` copies some of them. */
typedef struct transfer_object {
    uint8_t id;
    status (*size)(uint8_t index, uint32_t *bytes);
    void (*read)(uint8_t index, uint32_t offset, uint8_t *data, uint32_t length);
} transfer_object;

void fw_transfer_init(const transfer_target *targets, uint32_t n_targets, const transfer_object *objects,
                      uint32_t n_objects);

/* Closes what is open. */
void fw_transfer_abort(void);

status fw_transfer_open(uint16_t sequence, const uint8_t *request, uint32_t length, writer *answer);
void fw_transfer_data(const link_header *header, uint8_t *payload);
status fw_transfer_read(const link_header *header, const uint8_t *request, uint8_t *body);

#endif
