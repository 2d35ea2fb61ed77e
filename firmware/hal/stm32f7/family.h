/* STM32F7: F745/746/756 (RM0385), F765/767/769 (RM0410). */
#ifndef STM32F7_FAMILY_H
#define STM32F7_FAMILY_H

#include "../stm32_clock_f4/rcc.h"

#define STM32_UART_FIFO 0
#define STM32_START_CACHES() hal_cache_enable()
/* Prefetch and the ART accelerator serve the ITCM port only, the caches serve this one; a wait state more every 30 MHz
 * at 2.7 to 3.6 V (RM0385 3.3.2) */
#define STM32_FLASH_ACR (((BOARD_CORE_HZ - 1u) / 30000000u) | BIT(8) | BIT(9))
#define STM32_VOS_SCALE1 (BIT(14) | BIT(15))
#define STM32_OVERDRIVE (BOARD_CORE_HZ > 180000000u)

#endif
