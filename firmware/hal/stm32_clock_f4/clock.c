/* Clock tree of the STM32F4 (RM0090 7, RM0383 6, RM0390 6, RM0386 6) and F7 (RM0385 5, RM0410 5): 1 MHz into the PLL,
 * twice the core's clock out of its oscillator. */
#include "../common/system.h"
#include "../stm32/stm32.h"

#include "board.h"

#define CR_PLLON BIT(24)
#define CR_PLLRDY BIT(25)
#define PLLCFGR_SRC_HSE BIT(22)
#define PLLCFGR_R2 BIT(29) /* reserved and 1 after reset; some chips divide by it, by 2 at least */
#define CFGR_SW_MASK 3u
#define CFGR_SW_PLL 2u
#define CFGR_SWS_MASK (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE(divider) ((divider) == 4u ? 5u : (divider) == 2u ? 4u : 0u)
#define APB1ENR_PWR BIT(28)

/* Power, RM0090 5.4, RM0385 4.4 */
#define PWR_CR REG32(0x40007000u)
#define PWR_CSR REG32(0x40007004u)
#define CR_ODEN BIT(16)
#define CR_ODSWEN BIT(17)
#define CSR_ODRDY BIT(16)
#define CSR_ODSWRDY BIT(17)

/* Flash interface, RM0090 3.9, RM0385 3.7 */
#define FLASH_ACR REG32(0x40023C00u)
#define ACR_LATENCY 0xFu

#define HSI_HZ 16000000u
#define PLL_INPUT_HZ 1000000u
#define PLL_N (2u * BOARD_CORE_HZ / PLL_INPUT_HZ)
#define PLL_Q ((PLL_N + 47u) / 48u) /* 48 MHz at most */

_Static_assert(PLL_N >= 100u && PLL_N <= 432u, "the PLL's oscillator has 100 to 432 MHz");

/* Over-drive, while the PLL locks (RM0090 5.1.4, RM0385 4.1.4). */
static bool overdrive(void) {
    if (!STM32_OVERDRIVE) return true;
    PWR_CR |= CR_ODEN;
    if (!hal_system_wait_for(&PWR_CSR, CSR_ODRDY, CSR_ODRDY)) return false;
    PWR_CR |= CR_ODSWEN;
    return hal_system_wait_for(&PWR_CSR, CSR_ODSWRDY, CSR_ODSWRDY);
}

/* Without an external clock the internal oscillator takes its place; if anything else does not become ready, the board
 * stays on its 16 MHz. */
uint32_t hal_stm32_start(void) {
    STM32_START_CACHES();
    RCC_APB1ENR |= APB1ENR_PWR;
    (void)RCC_APB1ENR; /* two bus cycles until the block listens */
    PWR_CR |= STM32_VOS_SCALE1;

    const bool external = hal_stm32_start_external();
    const uint32_t m = (external ? BOARD_HSE_HZ : HSI_HZ) / PLL_INPUT_HZ;
    /* P = 2 is coded as 0 */
    RCC_PLLCFGR = m | (PLL_N << 6) | (external ? PLLCFGR_SRC_HSE : 0u) | (PLL_Q << 24) | PLLCFGR_R2;
    RCC_CR |= CR_PLLON;
    if (!overdrive()) return HSI_HZ;
    if (!hal_system_wait_for(&RCC_CR, CR_PLLRDY, CR_PLLRDY)) return HSI_HZ;

    FLASH_ACR = STM32_FLASH_ACR;
    if (!hal_system_wait_for(&FLASH_ACR, ACR_LATENCY, STM32_FLASH_ACR & ACR_LATENCY)) return HSI_HZ;
    RCC_CFGR = (CFGR_PPRE(APB1_DIVIDER) << 10) | (CFGR_PPRE(APB2_DIVIDER) << 13);
    RCC_CFGR |= CFGR_SW_PLL;
    if (hal_system_wait_for(&RCC_CFGR, CFGR_SWS_MASK, CFGR_SWS_PLL)) return BOARD_CORE_HZ;
    RCC_CFGR = 0; /* the buses have the core's clock again */
    return HSI_HZ;
}
