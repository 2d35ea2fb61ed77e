/* Pins of STM32F4, F7 and H7: the same block in all three (RM0090 8.4, RM0385 6.4, RM0433 11.4). The HAL
 * defines GPIOA, the address of the first. */
#ifndef STM32_GPIO_H
#define STM32_GPIO_H

#include "../common/cortex_m.h"

#define GPIOB (GPIOA + 0x400u)
#define GPIOC (GPIOA + 0x800u)
#define GPIOD (GPIOA + 0xC00u)
#define GPIOE (GPIOA + 0x1000u)
#define GPIOF (GPIOA + 0x1400u)
#define GPIOG (GPIOA + 0x1800u)
#define GPIO_CLOCK(port) BIT(((port)-GPIOA) / 0x400u) /* in the register of RCC that enables ports */
#define GPIO_MODER(port) REG32((port) + 0x00u)
#define GPIO_OSPEEDR(port) REG32((port) + 0x08u)
#define GPIO_PUPDR(port) REG32((port) + 0x0Cu)
#define GPIO_AFR(port, half) REG32((port) + 0x20u + 4u * (half))

/* Gives a pin to a peripheral: fast edges, pulled up so that an open receive line idles. */
static inline void gpio_alternate(uint32_t port, uint32_t pin, uint32_t function) {
    const uint32_t two = 2u * pin, four = 4u * (pin % 8u);
    GPIO_AFR(port, pin / 8u) = (GPIO_AFR(port, pin / 8u) & ~(0xFu << four)) | (function << four);
    GPIO_OSPEEDR(port) = (GPIO_OSPEEDR(port) & ~(3u << two)) | (2u << two);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << two)) | (1u << two);
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << two)) | (2u << two);
}

#endif
