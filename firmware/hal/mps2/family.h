/* Arm's MPS2 or MPS3 FPGA board with one of its images (Arm application notes AN500, AN505, AN547). */
#ifndef MPS2_FAMILY_H
#define MPS2_FAMILY_H

#if defined BOARD_CHIP_MPS2_AN505 /* the core starts in secure state: these are the secure addresses */
#define TIMER0_BASE 0x50000000u
#define UART0_BASE 0x50200000u
#define UART0_IRQ 32                /* its receive interrupt */
#elif defined BOARD_CHIP_MPS3_AN547 /* secure addresses as well */
#define COUNTER_BASE 0x58100000u    /* the control frame of the SSE-300's system counter */
#define UART0_BASE 0x59303000u
#define UART0_IRQ 33
#else
#define TIMER0_BASE 0x40000000u
#define UART0_BASE 0x40004000u
#define UART0_IRQ 0
#endif

#endif
