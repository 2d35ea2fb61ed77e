/* NUCLEO-H743ZI and H743ZI2 (UM1974, UM2407): 8 MHz from the ST-LINK into the bypassed HSE input, the virtual
 * COM port on USART3, PD8 and PD9; the core is fed by the internal LDO. */
#ifndef BOARD_CONFIG_H
#define BOARD_CONFIG_H

#define BOARD_IRQ_COUNT 150 /* RM0433 19.1 */
#define BOARD_HSE_HZ 8000000u
#define BOARD_HSE_BYPASS 1
#define BOARD_UART_BASE 0x40004800u /* USART3, on APB1 */
#define BOARD_UART_IRQ 39
#define BOARD_UART_HAS_FIFO 1

#define BOARD_UART_ENABLE_REGISTER RCC_APB1LENR
#define BOARD_UART_ENABLE_BIT 18
#define BOARD_UART_CLOCK_HZ(core) ((core) / 4u)
#define BOARD_UART_TX_PORT GPIOD
#define BOARD_UART_TX_PIN 8
#define BOARD_UART_RX_PORT GPIOD
#define BOARD_UART_RX_PIN 9
#define BOARD_UART_FUNCTION 7

/* Trained state: sectors 4 to 7 of bank 2, 128 KB each, programmed by 32 bytes (RM0433 4.3.4). */
#define BOARD_FLASH_ADDRESS 0x08180000u /* of the first slot; the second follows it */
#define BOARD_FLASH_SLOT_BYTES 0x40000u
#define BOARD_FLASH_SECTOR_BYTES 0x20000u
#define BOARD_FLASH_UNIT 32u
#define BOARD_FLASH_FIRST_SECTOR 4

#endif
