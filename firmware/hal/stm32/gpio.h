/* Pins of all STM32 but the F1: the same block everywhere (RM0090 8.4, RM0385 6.4, RM0433 11.4, RM0432 8.4, RM0456
 * 13.4). The family defines GPIOA, the address of the first. */
#ifndef STM32_GPIO_H
#define STM32_GPIO_H

#include "../common/cortex_m.h"

#define GPIOB (GPIOA + 0x400u)
#define GPIOC (GPIOA + 0x800u)
#define GPIOD (GPIOA + 0xC00u)
#define GPIOE (GPIOA + 0x1000u)
#define GPIOF (GPIOA + 0x1400u)
#define GPIOG (GPIOA + 0x1800u)
#define GPIOH (GPIOA + 0x1C00u)
#define GPIOI (GPIOA + 0x2000u)
#define GPIOJ (GPIOA + 0x2400u)
#define GPIOK (GPIOA + 0x2800u)
#define GPIO_CLOCK(port) BIT(((port)-GPIOA) / 0x400u) /* in the register of RCC that enables ports */
#define GPIO_MODER(port) REG32((port) + 0x00u)
#define GPIO_OTYPER(port) REG32((port) + 0x04u)
#define GPIO_OSPEEDR(port) REG32((port) + 0x08u)
#define GPIO_PUPDR(port) REG32((port) + 0x0Cu)
#define GPIO_BSRR(port) REG32((port) + 0x18u)
#define GPIO_AFR(port, half) REG32((port) + 0x20u + 4u * (half))

/* Gives a pin to a peripheral: fast edges, pulled up so that an open receive line idles. */
static inline void gpio_alternate(uint32_t port, uint32_t pin, uint32_t function) {
    const uint32_t two = 2u * pin, four = 4u * (pin % 8u);
    GPIO_AFR(port, pin / 8u) = (GPIO_AFR(port, pin / 8u) & ~(0xFu << four)) | (function << four);
    GPIO_OSPEEDR(port) = (GPIO_OSPEEDR(port) & ~(3u << two)) | (2u << two);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << two)) | (1u << two);
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << two)) | (2u << two);
}

/* A pin that only pulls down, for buses with several masters and for I2C. */
static inline void gpio_open_drain(uint32_t port, uint32_t pin) {
    GPIO_OTYPER(port) |= BIT(pin);
}

/* Makes a pin an output at this level. */
static inline void gpio_output(uint32_t port, uint32_t pin, uint32_t level) {
    GPIO_BSRR(port) = level ? BIT(pin) : BIT(pin + 16u);
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | (1u << (2u * pin));
}

#endif
