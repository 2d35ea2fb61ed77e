/* What the compiler calls by itself, for native modules: they are linked with no C library. Compiled without
 * the compiler's knowledge of these functions, so that none becomes a call of itself. */
#include <string.h>

#include "py/dynruntime.h"

void *memcpy(void *restrict to, const void *restrict from, size_t bytes) {
    return mp_fun_table.memmove_(to, from, bytes);
}

void *memmove(void *to, const void *from, size_t bytes) {
    return mp_fun_table.memmove_(to, from, bytes);
}

void *memset(void *to, int value, size_t bytes) {
    return mp_fun_table.memset_(to, value, bytes);
}

int memcmp(const void *one, const void *other, size_t bytes) {
    const uint8_t *a = one, *b = other;
    for (size_t i = 0; i < bytes; i++)
        if (a[i] != b[i]) return a[i] - b[i];
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}
