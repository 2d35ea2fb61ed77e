/* STM32H743/753 (RM0433). */
#ifndef STM32H7_FAMILY_H
#define STM32H7_FAMILY_H

#include "../common/cortex_m.h"
#include "../stm32/gpio.h"

#define GPIOA 0x58020000u
#define GPIO_ENABLE RCC_AHB4ENR
#define IWDG_BASE 0x58004800u

/* Reset and clock control, 8.7 */
#define RCC_BASE 0x58024400u
#define RCC_CR REG32(RCC_BASE + 0x00u)
#define RCC_CFGR REG32(RCC_BASE + 0x10u)
#define RCC_D1CFGR REG32(RCC_BASE + 0x18u)
#define RCC_D2CFGR REG32(RCC_BASE + 0x1Cu)
#define RCC_D3CFGR REG32(RCC_BASE + 0x20u)
#define RCC_PLLCKSELR REG32(RCC_BASE + 0x28u)
#define RCC_PLLCFGR REG32(RCC_BASE + 0x2Cu)
#define RCC_PLL1DIVR REG32(RCC_BASE + 0x30u)
#define RCC_AHB4ENR REG32(RCC_BASE + 0xE0u)
#define RCC_APB1LENR REG32(RCC_BASE + 0xE8u)
#define RCC_APB2ENR REG32(RCC_BASE + 0xF0u)

/* The peripherals' buses have a quarter of the core's clock. */
#define STM32_UART_FIFO 1
#define USART1_BASE 0x40011000u
#define USART1_IRQ 37
#define USART1_ENABLE RCC_APB2ENR
#define USART1_ENABLE_BIT 4
#define USART1_CLOCK_HZ (BOARD_CORE_HZ / 4u)
#define USART1_LOW_POWER 0
#define USART2_BASE 0x40004400u
#define USART2_IRQ 38
#define USART2_ENABLE RCC_APB1LENR
#define USART2_ENABLE_BIT 17
#define USART2_CLOCK_HZ (BOARD_CORE_HZ / 4u)
#define USART2_LOW_POWER 0
#define USART3_BASE 0x40004800u
#define USART3_IRQ 39
#define USART3_ENABLE RCC_APB1LENR
#define USART3_ENABLE_BIT 18
#define USART3_CLOCK_HZ (BOARD_CORE_HZ / 4u)
#define USART3_LOW_POWER 0

/* The camera's bus, interface and clock: 47, 32, 15 to 17, and 38. */
#define RCC_AHB1ENR REG32(RCC_BASE + 0xD8u)
#define RCC_AHB2ENR REG32(RCC_BASE + 0xDCu)
#define I2C1_BASE 0x40005400u
#define I2C1_ENABLE RCC_APB1LENR
#define I2C1_ENABLE_BIT 21
#define I2C1_CLOCK_HZ (BOARD_CORE_HZ / 4u)
#define I2C2_BASE 0x40005800u
#define I2C2_ENABLE RCC_APB1LENR
#define I2C2_ENABLE_BIT 22
#define I2C2_CLOCK_HZ (BOARD_CORE_HZ / 4u)
#define SPI4_BASE 0x40013400u /* 50; its clock is the bus's (8.7.20) */
#define SPI4_ENABLE RCC_APB2ENR
#define SPI4_ENABLE_BIT 13
#define SPI4_CLOCK_HZ (BOARD_CORE_HZ / 4u)
#define DCMI_BASE 0x48020000u
#define DCMI_IRQ 78
#define DCMI_ENABLE RCC_AHB2ENR
#define DCMI_ENABLE_BIT 0
#define DMA2_BASE 0x40020400u
#define DMA2_ENABLE RCC_AHB1ENR
#define DMA2_ENABLE_BIT 1
#define DCMI_DMA_IRQ 57 /* of stream 1 */
#define DCMI_DMA_REQUEST                                                                                     \
    0u /* the request is chosen by the multiplexer, whose channel 9 is that stream: 17.3.2 */
#define DMAMUX1_CHANNEL9 REG32(0x40020824u)
#define DMAMUX1_DCMI 75u
#define DCMI_ROUTE() (DMAMUX1_CHANNEL9 = DMAMUX1_DCMI)
#define TIM1_BASE 0x40010000u
#define TIM1_ENABLE RCC_APB2ENR
#define TIM1_ENABLE_BIT 0
#define TIM1_CLOCK_HZ (BOARD_CORE_HZ / 2u) /* twice the bus */

#endif
