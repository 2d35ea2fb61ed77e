#include "semihost.h"

#define SYS_OPEN 0x01u
#define SYS_WRITE0 0x04u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_SEEK 0x0Au
#define SYS_FLEN 0x0Cu
#define SYS_GET_CMDLINE 0x15u
#define SYS_EXIT_EXTENDED 0x20u
#define LONGEST_COMMAND 1024u
#define OPEN_READ_WRITE 3u /* as fopen's "r+b" */
#define ADP_STOPPED_APPLICATION_EXIT 0x20026u

static int32_t semihost_call(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

/* Numbers and addresses as a block of words, which most operations take. */
static uint32_t word(const void *address) {
    return (uint32_t)(uintptr_t)address;
}

void hal_semihost_print(const char *text) {
    semihost_call(SYS_WRITE0, text);
}

void hal_semihost_exit(int status) {
    const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)status};
    semihost_call(SYS_EXIT_EXTENDED, block);
    for (;;) {
    } /* the simulator has ended */
}

/* The path behind `key` in `text`, terminated; NULL if no line begins so. */
static char *value_of(char *text, const char *key) {
    for (char *line = text;; line++) {
        uint32_t k = 0;
        while (key[k] && line[k] == key[k]) k++;
        char *end = line + k;
        while (*end && *end != '\n') end++;
        if (!key[k]) {
            *end = 0;
            return line + k;
        }
        if (!*end) return 0;
        line = end;
    }
}

int32_t hal_semihost_open(const char *key) {
    char command[LONGEST_COMMAND];
    const uint32_t asked[2] = {word(command), sizeof command};
    if (semihost_call(SYS_GET_CMDLINE, asked)) return -1; /* there is none, or it is longer */
    const char *path = value_of(command, key);
    if (!path) return -1;
    uint32_t length = 0;
    while (path[length]) length++;
    const uint32_t block[3] = {word(path), OPEN_READ_WRITE, length};
    return semihost_call(SYS_OPEN, block);
}

int32_t hal_semihost_length(int32_t file) {
    const uint32_t block[1] = {(uint32_t)file};
    return semihost_call(SYS_FLEN, block);
}

static bool seek(int32_t file, uint32_t offset) {
    const uint32_t block[2] = {(uint32_t)file, offset};
    return semihost_call(SYS_SEEK, block) == 0;
}

/* Both answer how many bytes were not moved. */
bool hal_semihost_read(int32_t file, uint32_t offset, void *data, uint32_t bytes) {
    const uint32_t block[3] = {(uint32_t)file, word(data), bytes};
    return seek(file, offset) && semihost_call(SYS_READ, block) == 0;
}

bool hal_semihost_write(int32_t file, uint32_t offset, const void *data, uint32_t bytes) {
    const uint32_t block[3] = {(uint32_t)file, word(data), bytes};
    return seek(file, offset) && semihost_call(SYS_WRITE, block) == 0;
}
