/* QEMU's netduinoplus2: an STM32F405RG whose USART1 is the first serial port. Also right for the real
 * Netduino Plus 2 (25 MHz crystal, USART1 on PA9 and PA10). */
#ifndef BOARD_CONFIG_H
#define BOARD_CONFIG_H

#define BOARD_IRQ_COUNT 82 /* RM0090 12.2 */
#define BOARD_HSE_HZ 25000000u
#define BOARD_HSE_BYPASS 0
#define BOARD_UART_BASE 0x40011000u /* USART1, on APB2 */
#define BOARD_UART_IRQ 37

#define BOARD_UART_ENABLE_REGISTER RCC_APB2ENR
#define BOARD_UART_ENABLE_BIT 4
#define BOARD_UART_CLOCK_HZ(core) ((core) / 2u)
#define BOARD_UART_TX_PORT GPIOA
#define BOARD_UART_TX_PIN 9
#define BOARD_UART_RX_PORT GPIOA
#define BOARD_UART_RX_PIN 10
#define BOARD_UART_FUNCTION 7

/* Trained state: sectors 10 and 11 of 128 KB (RM0090 3.4). */
#define BOARD_FLASH_ADDRESS 0x080C0000u /* of the first slot; the second follows it */
#define BOARD_FLASH_SLOT_BYTES 0x20000u
#define BOARD_FLASH_SECTOR_BYTES 0x20000u
#define BOARD_FLASH_UNIT 4u
#define BOARD_FLASH_FIRST_SECTOR 10

#endif
