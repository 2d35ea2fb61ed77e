/* Between what all STM32 share (stm32.c) and their families.
 *
 * A family's folder has family.h, which board.h includes. It defines GPIOA (address of the first port), GPIO_ENABLE (the
 * register of RCC that gives ports their clock), RCC_CR, IWDG_BASE, and of each UART that it knows, here called U: U_BASE,
 * U_IRQ, U_ENABLE and U_ENABLE_BIT (register of RCC, number of the bit), U_CLOCK_HZ (at full speed). Families whose UARTs
 * are those of stm32_usart_v2 also say U_LOW_POWER (1: an LPUART) and STM32_UART_FIFO.
 *
 * Families with cameras define of each I2C unit that they know I2CN_BASE, I2CN_ENABLE, I2CN_ENABLE_BIT and I2CN_CLOCK_HZ,
 * and the like of DCMI, DMA2 and TIM1, and of SPI units for cameras with a memory. DCMI_DMA_REQUEST (bits of the control
 * register of DMA2's stream 1) and DCMI_ROUTE() connect camera interface and DMA.
 */
#ifndef STM32_H
#define STM32_H

#include <stdbool.h>
#include <stdint.h>

/* Caches, flash accelerator and clock tree. Returns the core's clock: BOARD_CORE_HZ, or that of the oscillator the chip
 * starts with, if anything did not become ready; all buses have the core's clock then. */
uint32_t hal_stm32_start(void);

/* The clock from outside the chip, for hal_stm32_start; false: the board has none, or it did not become ready. */
bool hal_stm32_start_external(void);

#endif
