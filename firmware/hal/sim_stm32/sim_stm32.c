/* What a simulated STM32 has in place of clock tree and cycle counter.
 *
 * QEMU's clock registers read 0 and the core always runs at full speed. The counter is TIM2 (RM0090 18.4), which QEMU
 * runs at 1 GHz of virtual time: one count per instruction when virtual time advances by 1 ns per instruction
 * (-icount shift=0).
 */
#include "../common/system.h"
#include "../hal.h"
#include "../stm32/stm32.h"

#include "board.h"

#define TIM2_BASE 0x40000000u
#define TIM2_CR1 REG32(TIM2_BASE + 0x00u)
#define TIM2_EGR REG32(TIM2_BASE + 0x14u)
#define TIM2_CNT REG32(TIM2_BASE + 0x24u)
#define TIM2_PSC REG32(TIM2_BASE + 0x28u)
#define TIM2_ARR REG32(TIM2_BASE + 0x2Cu)
#define APB1ENR_TIM2 BIT(0)
#define COUNT_HZ 1000000000u

uint32_t hal_stm32_start(void) {
    return BOARD_CORE_HZ;
}

void hal_counter_start(uint32_t core_hz) {
    (void)core_hz;
    RCC_APB1ENR |= APB1ENR_TIM2;
    TIM2_PSC = 0;
    TIM2_ARR = 0xFFFFFFFFu;
    TIM2_EGR = 1;
    TIM2_CR1 = 1;
}

uint32_t hal_count(void) {
    return TIM2_CNT;
}

const char *hal_count_unit(void) {
    return "instructions";
}

uint32_t hal_count_rate(void) {
    return COUNT_HZ;
}
