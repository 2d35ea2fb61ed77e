/* Little-endian numbers and strings in byte buffers. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* A buffer being filled. Whatever doesn't fit sets `overflow` and is left out. */
typedef struct writer {
    uint8_t *data;
    uint32_t length, capacity;
    bool overflow;
} writer;

static inline void put_bytes(writer *w, const void *source, uint32_t length) {
    if (length > w->capacity - w->length) {
        w->overflow = true;
        return;
    }
    if (length) memcpy(w->data + w->length, source, length);
    w->length += length;
}

static inline void put_u8(writer *w, uint8_t v) {
    put_bytes(w, &v, 1);
}

static inline void put_u16(writer *w, uint16_t v) {
    const uint8_t b[2] = {(uint8_t)v, (uint8_t)(v >> 8)};
    put_bytes(w, b, 2);
}

static inline void put_u32(writer *w, uint32_t v) {
    const uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    put_bytes(w, b, 4);
}

/* The string with its terminating zero, cut after `longest` characters. */
static inline void put_string(writer *w, const char *s, uint32_t longest) {
    uint32_t n = 0;
    while (n < longest && s[n]) n++;
    put_bytes(w, s, n);
    put_u8(w, 0);
}

#endif
