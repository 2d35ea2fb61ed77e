/* STM32L4+: L4R5/R7/R9 (RM0432). */
#ifndef STM32L4_FAMILY_H
#define STM32L4_FAMILY_H

#include "../common/cortex_m.h"
#include "../stm32/gpio.h"

#define GPIOA 0x48000000u
#define GPIO_ENABLE RCC_AHB2ENR
#define IWDG_BASE 0x40003000u

/* Reset and clock control, 6.4 */
#define RCC_BASE 0x40021000u
#define RCC_CR REG32(RCC_BASE + 0x00u)
#define RCC_CFGR REG32(RCC_BASE + 0x08u)
#define RCC_PLLCFGR REG32(RCC_BASE + 0x0Cu)
#define RCC_AHB2ENR REG32(RCC_BASE + 0x4Cu)
#define RCC_APB1ENR1 REG32(RCC_BASE + 0x58u)
#define RCC_APB1ENR2 REG32(RCC_BASE + 0x5Cu)
#define RCC_APB2ENR REG32(RCC_BASE + 0x60u)

/* All buses have the core's clock. */
#define STM32_UART_FIFO 1
#define USART1_BASE 0x40013800u
#define USART1_IRQ 37
#define USART1_ENABLE RCC_APB2ENR
#define USART1_ENABLE_BIT 14
#define USART1_CLOCK_HZ BOARD_CORE_HZ
#define USART1_LOW_POWER 0
#define USART2_BASE 0x40004400u
#define USART2_IRQ 38
#define USART2_ENABLE RCC_APB1ENR1
#define USART2_ENABLE_BIT 17
#define USART2_CLOCK_HZ BOARD_CORE_HZ
#define USART2_LOW_POWER 0
#define LPUART1_BASE 0x40008000u
#define LPUART1_IRQ 70
#define LPUART1_ENABLE RCC_APB1ENR2
#define LPUART1_ENABLE_BIT 0
#define LPUART1_CLOCK_HZ BOARD_CORE_HZ
#define LPUART1_LOW_POWER 1

/* Flash interface, 3.7: what stm32_flash_l4 needs */
#define FLASH_BASE 0x40022000u
#define FLASH_KEYR REG32(FLASH_BASE + 0x08u)
#define FLASH_SR REG32(FLASH_BASE + 0x10u)
#define FLASH_CR REG32(FLASH_BASE + 0x14u)
#define FLASH_ECCR REG32(FLASH_BASE + 0x18u)
#define STM32_FLASH_UNIT 8
#define SR_BUSY BIT(16)
#define ECCR_ERROR (BIT(29) | BIT(31)) /* two bits wrong, cleared by ones */

/* The accelerator's data cache: off while the flash changes, and emptied, which it can be only while it is off */
#define FLASH_ACR REG32(FLASH_BASE + 0x00u)
#define ACR_DCEN BIT(10)
#define ACR_DCRST BIT(12)
static inline void stm32_flash_cache_off(void) {
    FLASH_ACR &= ~ACR_DCEN;
}
static inline void stm32_flash_cache_on(void) {
    FLASH_ACR |= ACR_DCRST;
    FLASH_ACR &= ~ACR_DCRST;
    FLASH_ACR |= ACR_DCEN;
}

#endif
