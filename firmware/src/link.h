/* Frames over the serial port: COBS, CRC-32, header (docs/protocol.md, "Frames"). Knows no command. */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stdint.h>

/* Largest payload: a 4-byte offset and a kilobyte of data. Rows of the network's input must fit into that
 * kilobyte to be streamed; define it larger for wider pictures. */
#ifndef LINK_DATA_BYTES
#define LINK_DATA_BYTES 1024u
#endif
#define LINK_HEADER 8u
#define LINK_CRC 4u
#define LINK_PAYLOAD (LINK_DATA_BYTES + 4u)
#define LINK_BODY (LINK_HEADER + LINK_PAYLOAD + LINK_CRC)
/* On the wire at worst: one code byte per 254 and one for the rest, and a zero on either side. */
#define LINK_WIRE (LINK_BODY + LINK_BODY / 254u + 1u + 2u)

typedef struct link_header {
    uint8_t op, status;
    uint16_t session, sequence, length;
} link_header;

/* What the line looked like so far. */
typedef struct link_counters {
    uint32_t frames;    /* good ones received */
    uint32_t corrupted; /* wrong CRC, wrong length, or not COBS */
    uint32_t too_long;  /* longer than LINK_BODY */
} link_counters;

/* Called for each good frame. The payload may be altered; it is 4-byte aligned and gone after the call. */
typedef void (*link_receiver)(const link_header *header, uint8_t *payload, uint32_t crc);

void fw_link_init(void);

/* `tap` gets every byte that stands between frames: text. A zero tells it that a frame begins, and that what it has got so
 * far is no text. */
typedef void (*link_tap)(uint8_t byte);
void fw_link_set_tap(link_tap tap);

/* Sends text between frames. */
void fw_link_say(const char *text);

/* Decodes what has arrived, and returns how many good frames were passed on. */
uint32_t fw_link_poll(link_receiver receive);

/* From inside a receiver: what has arrived so far, but was not yet decoded, is dropped. */
void fw_link_discard(void);

/* Sends a frame whose payload is already at body + LINK_HEADER; the header and the CRC (room for it after the
 * payload!) are written around it. */
void fw_link_send(const link_header *header, uint8_t *body);

const link_counters *fw_link_statistics(void);
void fw_link_clear_statistics(void);

#endif
