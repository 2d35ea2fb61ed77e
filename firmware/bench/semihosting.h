/* Files and exit of the simulator's host, through semihosting. Only for simulated boards. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stdbool.h>
#include <stdint.h>

/* Paths are relative to the simulator's working directory. Negative: it cannot be opened. */
int32_t bench_host_open_read(const char *path);
int32_t bench_host_open_write(const char *path);
void bench_host_close(int32_t file);

/* False: fewer than `bytes` bytes could be moved. */
bool bench_host_read(int32_t file, void *data, uint32_t bytes);
bool bench_host_write(int32_t file, const void *data, uint32_t bytes);

/* Text on the simulator's console. */
void bench_host_print(const char *text);

/* Ends the simulation with this exit status. */
void bench_host_exit(uint32_t status) __attribute__((noreturn));

#endif
