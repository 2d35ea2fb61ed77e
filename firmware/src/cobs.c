#include "cobs.h"

void fw_cobs_restart(cobs_decoder *decoder) {
    decoder->length = 0;
    decoder->left = 0;
    decoder->code = 0;
    decoder->overflow = false;
}

static void store(cobs_decoder *decoder, uint8_t byte) {
    if (decoder->length < decoder->capacity) {
        decoder->buffer[decoder->length++] = byte;
    } else {
        decoder->overflow = true;
    }
}

cobs_event fw_cobs_take(cobs_decoder *decoder, uint8_t byte) {
    if (byte == 0) {
        if (decoder->code == 0) return COBS_NOTHING;
        if (decoder->overflow) return COBS_TOO_LONG;
        return decoder->left ? COBS_BROKEN : COBS_FRAME;
    }
    if (decoder->left == 0) {
        /* The zero that ended the previous block is known to be data only now that another block follows. */
        if (decoder->code != 0 && decoder->code != 255) store(decoder, 0);
        decoder->code = byte;
        decoder->left = (uint8_t)(byte - 1);
    } else {
        store(decoder, byte);
        decoder->left--;
    }
    return COBS_MORE;
}

size_t fw_cobs_block(const uint8_t *data, size_t length) {
    size_t n = 0;
    while (n < length && n < 254 && data[n] != 0) n++;
    return n;
}
