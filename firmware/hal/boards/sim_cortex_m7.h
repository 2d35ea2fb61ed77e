/* QEMU's mps2-an500: Arm's MPS2 FPGA board with a Cortex-M7, CMSDK peripherals (Arm application note AN500).
 */
#ifndef BOARD_CONFIG_H
#define BOARD_CONFIG_H

#define BOARD_IRQ_COUNT 32
#define BOARD_CORE_HZ 25000000u
#define BOARD_UART_BASE 0x40004000u /* UART0 */
#define BOARD_UART_IRQ 0            /* its receive interrupt */

#endif
