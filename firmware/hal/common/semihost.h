/* Semihosting (Arm's "Semihosting for AArch32 and AArch64"). Only for simulators:
 * without one the breakpoint is a fault. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#include <stdbool.h>
#include <stdint.h>

void hal_semihost_print(const char *text);
void hal_semihost_exit(int status) __attribute__((noreturn));

/* A file of the host that exists, for reading and writing: what follows `key` in a line of the command line that the
 * simulator was given for us. A handle, negative if there is no such line or the file cannot be opened. */
int32_t hal_semihost_open(const char *key);
int32_t hal_semihost_length(int32_t file);
/* `bytes` bytes at `offset`; false unless all of them. */
bool hal_semihost_read(int32_t file, uint32_t offset, void *data, uint32_t bytes);
bool hal_semihost_write(int32_t file, uint32_t offset, const void *data, uint32_t bytes);

#endif
