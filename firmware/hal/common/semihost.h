/* Semihosting (Arm's "Semihosting for AArch32 and AArch64"). Only for simulators:
 * without one the breakpoint is a fault. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#include <stdbool.h>
#include <stdint.h>

void hal_semihost_print(const char *text);
void hal_semihost_exit(int status) __attribute__((noreturn));

/* The command line that the simulator was given for us, terminated; false: none, or longer than `size`. */
bool hal_semihost_command_line(char *text, uint32_t size);

/* A file of the host that exists, for reading and writing; a handle, negative if it cannot be opened. */
int32_t hal_semihost_open(const char *path);
int32_t hal_semihost_length(int32_t file);
/* `bytes` bytes at `offset`; false unless all of them. */
bool hal_semihost_read(int32_t file, uint32_t offset, void *data, uint32_t bytes);
bool hal_semihost_write(int32_t file, uint32_t offset, const void *data, uint32_t bytes);

#endif
