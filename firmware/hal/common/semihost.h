/* Semihosting (Arm's "Semihosting for AArch32 and AArch64", operations 0x04 and 0x20). Only for simulators:
 * without one the breakpoint is a fault. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

void semihost_print(const char *text);
void semihost_exit(int status) __attribute__((noreturn));

#endif
