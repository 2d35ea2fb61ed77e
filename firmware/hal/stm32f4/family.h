/* STM32F4: F405/407 (RM0090), F411 (RM0383), F446 (RM0390), F469 (RM0386). */
#ifndef STM32F4_FAMILY_H
#define STM32F4_FAMILY_H

#include "../stm32_clock_f4/rcc.h"

#define STM32_START_CACHES()
/* Prefetch, instruction cache, data cache; a wait state more every 30 MHz at 2.7 to 3.6 V (RM0090 3.5.1, RM0390 3.4) */
#define STM32_FLASH_ACR (((BOARD_CORE_HZ - 1u) / 30000000u) | BIT(8) | BIT(9) | BIT(10))
/* Voltage scale 1: one bit on the oldest chips, where the other is reserved, else two (RM0090 5.4.1, RM0390 5.4.1) */
#if defined BOARD_CHIP_STM32F405 || defined BOARD_CHIP_STM32F407
#define STM32_VOS_SCALE1 BIT(14)
#else
#define STM32_VOS_SCALE1 (BIT(14) | BIT(15))
#endif
#define STM32_OVERDRIVE (BOARD_CORE_HZ > 168000000u)

#endif
