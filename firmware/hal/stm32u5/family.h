/* STM32U575/585 (RM0456), TrustZone off, as the chip is delivered. */
#ifndef STM32U5_FAMILY_H
#define STM32U5_FAMILY_H

#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../stm32/gpio.h"

#define GPIOA 0x42020000u
#define GPIO_ENABLE RCC_AHB2ENR1
#define IWDG_BASE 0x40003000u

/* Reset and clock control, 11.8 */
#define RCC_BASE 0x46020C00u
#define RCC_CR REG32(RCC_BASE + 0x00u)
#define RCC_CFGR1 REG32(RCC_BASE + 0x1Cu)
#define RCC_CFGR2 REG32(RCC_BASE + 0x20u)
#define RCC_PLL1CFGR REG32(RCC_BASE + 0x28u)
#define RCC_PLL1DIVR REG32(RCC_BASE + 0x34u)
#define RCC_AHB2ENR1 REG32(RCC_BASE + 0x8Cu)
#define RCC_AHB3ENR REG32(RCC_BASE + 0x94u)
#define RCC_APB1ENR1 REG32(RCC_BASE + 0x9Cu)
#define RCC_APB2ENR REG32(RCC_BASE + 0xA4u)

/* All buses have the core's clock. */
#define STM32_UART_FIFO 1
#define USART1_BASE 0x40013800u
#define USART1_IRQ 61
#define USART1_ENABLE RCC_APB2ENR
#define USART1_ENABLE_BIT 14
#define USART1_CLOCK_HZ BOARD_CORE_HZ
#define USART1_LOW_POWER 0
#define USART3_BASE 0x40004800u
#define USART3_IRQ 63
#define USART3_ENABLE RCC_APB1ENR1
#define USART3_ENABLE_BIT 18
#define USART3_CLOCK_HZ BOARD_CORE_HZ
#define USART3_LOW_POWER 0

/* Flash interface, 7.9: what stm32_flash_l4 needs */
#define FLASH_BASE 0x40022000u
#define FLASH_ACR REG32(FLASH_BASE + 0x00u)
#define FLASH_KEYR REG32(FLASH_BASE + 0x08u)
#define FLASH_SR REG32(FLASH_BASE + 0x20u)
#define FLASH_CR REG32(FLASH_BASE + 0x28u)
#define FLASH_ECCR REG32(FLASH_BASE + 0x30u)
#define STM32_FLASH_UNIT 16
#define SR_BUSY (BIT(16) | BIT(17)) /* BSY; WDW: the write buffer is filling */
#define ECCR_ERROR BIT(31)          /* two bits wrong, cleared by a one */

/* The instruction cache, 8.7, keeps constants as well; it is emptied by a command that takes a while */
#define ICACHE_CR REG32(0x40030400u)
#define ICACHE_SR REG32(0x40030404u)
#define ICACHE_FCR REG32(0x4003040Cu)
#define ICACHE_CR_EN BIT(0)
#define ICACHE_CR_CACHEINV BIT(1)
#define ICACHE_SR_BUSYF BIT(0)
#define ICACHE_SR_BSYENDF BIT(1)
static inline void stm32_flash_cache_off(void) {}
static inline void stm32_flash_cache_on(void) {
    ICACHE_FCR = ICACHE_SR_BSYENDF;
    ICACHE_CR |= ICACHE_CR_CACHEINV;
    (void)hal_system_wait_for(&ICACHE_SR, ICACHE_SR_BUSYF | ICACHE_SR_BSYENDF, ICACHE_SR_BSYENDF);
    ICACHE_FCR = ICACHE_SR_BSYENDF;
}

#endif
