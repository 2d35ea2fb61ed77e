/* From reset to main(): symbols of the linker script, the vector table's handlers, the painted stack. */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdint.h>

/* boards/linker/sections.ld */
extern uint32_t _stack_bottom[], _stack_top[];
extern uint32_t _arena_start[], _arena_end[], _data_start[], _data_end[], _bss_start[], _bss_end[];
extern const uint32_t _data_image[];

/* Every word of the stack holds this until it is used for the first time. */
#define STACK_PAINT 0xC5C5C5C5u

int main(void);
void hal_reset_handler(void) __attribute__((noreturn));
void hal_system_tick_handler(void);
void hal_nmi_handler(void);
/* Of the camera interface, where the board has one. */
void hal_camera_interrupt_handler(void);
void hal_camera_dma_interrupt_handler(void);
/* `frame`: what the exception has put on the stack; NULL: not known. */
void hal_fault_report(const uint32_t *frame) __attribute__((noreturn, used));

#endif
