#include "semihosting.h"

/* Operation numbers and argument blocks: Arm's semihosting specification, version 2. */
enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20
};
enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };
#define APPLICATION_EXIT 0x20026u

#ifdef __riscv
/* RISC-V's takes Arm's operations: a breakpoint between two shifts that do nothing, none of them compressed. */
static int32_t semihost(uint32_t operation, const void *argument) {
    register uint32_t a0 __asm__("a0") = operation;
    register const void *a1 __asm__("a1") = argument;
    __asm__ volatile(".option push\n\t.option norvc\n\tslli zero, zero, 0x1f\n\tebreak\n\t"
                     "srai zero, zero, 7\n\t.option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
    return (int32_t)a0;
}
#else
static int32_t semihost(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}
#endif

static int32_t open_file(const char *path, uint32_t mode) {
    uint32_t length = 0;
    while (path[length]) length++;
    const uint32_t block[3] = {(uint32_t)path, mode, length};
    return semihost(SYS_OPEN, block);
}

int32_t bench_host_open_read(const char *path) {
    return open_file(path, MODE_READ_BINARY);
}

int32_t bench_host_open_write(const char *path) {
    return open_file(path, MODE_WRITE_BINARY);
}

void bench_host_close(int32_t file) {
    const uint32_t block[1] = {(uint32_t)file};
    semihost(SYS_CLOSE, block);
}

/* SYS_READ and SYS_WRITE answer how many bytes they did not move. */
static bool transfer(uint32_t operation, int32_t file, const void *data, uint32_t bytes) {
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)data, bytes};
    return bytes == 0 || semihost(operation, block) == 0;
}

bool bench_host_read(int32_t file, void *data, uint32_t bytes) {
    return transfer(SYS_READ, file, data, bytes);
}

bool bench_host_write(int32_t file, const void *data, uint32_t bytes) {
    return transfer(SYS_WRITE, file, data, bytes);
}

void bench_host_print(const char *text) {
    semihost(SYS_WRITE0, text);
}

void bench_host_exit(uint32_t status) {
    const uint32_t block[2] = {APPLICATION_EXIT, status};
    semihost(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}
