/* The stack grows down from STACK_TOP to STACK_LIMIT (linker script). */
#ifndef STACK_H
#define STACK_H

#include <stdint.h>

extern uint32_t __stack_limit[], __stack_top[];
#define STACK_LIMIT __stack_limit
#define STACK_TOP __stack_top

#endif
