/* QEMU's mps2-an500: Arm's MPS2 FPGA board with a Cortex-M7, CMSDK peripherals (Arm
 * application note AN500). */
#ifndef BOARD_CONFIG_H
#define BOARD_CONFIG_H

#define BOARD_IRQ_COUNT 32
#define BOARD_CORE_HZ 25000000u
#define BOARD_UART_BASE 0x40004000u /* UART0 */
#define BOARD_UART_IRQ 0            /* its receive interrupt */

/* Trained state: the board has no flash; as on an STM32H743, sectors of 128 KB programmed by 32 bytes. */
#define BOARD_FLASH_ADDRESS 0x00300000u /* of the first slot; the second follows it */
#define BOARD_FLASH_SLOT_BYTES 0x80000u
#define BOARD_FLASH_SECTOR_BYTES 0x20000u
#define BOARD_FLASH_UNIT 32u
#define BOARD_FLASH_FIRST_SECTOR 24

#endif
