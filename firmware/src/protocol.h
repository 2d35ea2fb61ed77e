/* Sessions, requests answered exactly once, and the commands of the line itself (docs/protocol.md). */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include "bytes.h"

#define PROTOCOL_VERSION 1u
#define PROTOCOL_BAUD 115200u      /* where every connection starts, and where silence leads back to */
#define PROTOCOL_SILENCE_MS 3000u  /* nothing understood for so long at another rate: back to 115200 baud */
#define PROTOCOL_TRIAL_MS 1000u    /* a new rate must carry a first good frame within this time */
#define PROTOCOL_CREDIT 3u         /* data frames that the receive ring holds beside a few small requests */
#define PROTOCOL_BUSY_AFTER_MS 50u /* work that takes longer is announced */

/* Opcodes: 0x01-0x0F line, 0x10-0x1F transfers, 0x20-0x2F inference, 0x30-0x3F measurements, 0x40-0x5F
 * training and storage, 0x60-0x6F language models, 0x70-0x7F free for private use. Bit 7 marks an answer. */
enum {
    OP_HELLO = 0x01,
    OP_IDENTIFY = 0x02,
    OP_TENSOR = 0x03,
    OP_LAYERS = 0x04,
    OP_ECHO = 0x05,
    OP_BAUD = 0x06,
    OP_RESET = 0x07,
    OP_OPEN = 0x10,
    OP_DATA = 0x11,
    OP_READ = 0x12,
    OP_RUN = 0x20,
    OP_REWIND = 0x21,
    OP_TRACE = 0x22,
    OP_LOOK = 0x23,
    OP_STATISTICS = 0x30,
    OP_PROFILE = 0x31,
    OP_TRAIN_INFO = 0x40,
    OP_TRAIN_STEP = 0x41,
    OP_EVALUATE = 0x42,
    OP_RESET_STATE = 0x43,
    OP_ACCEPT_STATE = 0x44,
    OP_CLASS_NAMES = 0x45,
    OP_NAME_CLASSES = 0x46,
    OP_SAVE = 0x48,
    OP_RESTORE = 0x49,
    OP_FORGET = 0x4A,
    OP_TRAIN_TEXT = 0x4B,
    OP_EVALUATE_TEXT = 0x4C,
    OP_PROMPT = 0x60,
    OP_WRITE = 0x61,
    OP_ANSWER = 0x80
};

typedef enum status {
    STATUS_OK = 0,
    STATUS_BUSY = 1,      /* not the answer yet: it follows, after the milliseconds in the payload if not 0 */
    STATUS_UNKNOWN = 2,   /* no such command */
    STATUS_MALFORMED = 3, /* the request's fields make no sense */
    STATUS_NO_SESSION = 4,  /* HELLO first: this device was reset or another host took over */
    STATUS_STALE = 5,       /* sequence number of the past */
    STATUS_VERSION = 6,     /* no protocol version in common */
    STATUS_UNSUPPORTED = 7, /* understood, but this network or board cannot */
    STATUS_NO_TRANSFER = 8, /* data for a transfer that is not open */
    STATUS_INCOMPLETE = 9,  /* data is missing */
    STATUS_BAD_CHUNK = 10,  /* data beyond the end, or not in whole units */
    STATUS_NOT_THERE = 11,  /* the object asked for does not exist now */
    STATUS_BAD_RATE = 12,   /* the serial port cannot run at this rate */
    STATUS_NO_STATE = 13,   /* a push of the trained state did not end: push again, restore or reset */
    STATUS_FOREIGN = 14     /* a trained state of another layout */
} status;

/* A command: called with the request's payload (at least `shortest` bytes), writes the answer's payload. */
typedef status (*command_handler)(const uint8_t *request, uint32_t length, writer *answer);

typedef struct command {
    uint8_t op;
    uint8_t shortest;
    command_handler handler;
} command;

/* Commands of the application; the line's own are known already. */
void fw_protocol_init(const command *commands, uint32_t count);

/* Handles what has arrived and the passing of time; call it in a loop. */
void fw_protocol_poll(void);

/* Tells the host, from inside a handler, that the answer will take about so many
 * milliseconds (0: unknown). */
void fw_protocol_busy(uint32_t milliseconds);

/* Sends, from inside a handler and before that writes to its answer, bytes of something that the answer comes behind, as
 * READ sends them: `offset` is that of the first one. */
void fw_protocol_piece(uint32_t offset, const uint8_t *data, uint32_t length);

/* Requests that were repeated and answered from memory. */
uint32_t fw_protocol_repeats(void);
void fw_protocol_clear_statistics(void);

#endif
