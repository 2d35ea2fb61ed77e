/* STM32U575/585 (RM0456 10 and 11): instruction cache and clock tree; 8 MHz into the PLL, twice the core's clock out of
 * its oscillator. The core is fed by the internal LDO, as after reset. */
#include "../common/system.h"
#include "../stm32/stm32.h"

#include "board.h"

#define CR_HSION BIT(8)
#define CR_HSIRDY BIT(10)
#define CR_PLL1ON BIT(24)
#define CR_PLL1RDY BIT(25)
#define CFGR1_SW_MASK 3u
#define CFGR1_SW_PLL1 3u
#define CFGR1_SWS_MASK (3u << 2)
#define CFGR1_SWS_PLL1 (3u << 2)
#define CFGR2_HPRE_DIV2 8u
#define PLL1CFGR_SRC_HSI 2u
#define PLL1CFGR_SRC_HSE 3u
#define PLL1CFGR_RGE_8_TO_16_MHZ (3u << 2)
#define PLL1CFGR_REN BIT(18)
#define AHB3ENR_PWR BIT(2)

/* Power, 10.10 */
#define PWR_VOSR REG32(0x4602080Cu)
#define VOSR_BOOSTRDY BIT(14)
#define VOSR_VOSRDY BIT(15)
#define VOSR_RANGE1 (3u << 16)
#define VOSR_BOOSTEN BIT(18)

#define ACR_LATENCY 0xFu
#define ACR_4WS_PREFETCH (4u | BIT(8)) /* 7.3.3: range 1, 128 < HCLK <= 160 MHz */

#define MSI_HZ 4000000u
#define HSI_HZ 16000000u
#define PLL_INPUT_HZ 8000000u
#define PLL_N (2u * BOARD_CORE_HZ / PLL_INPUT_HZ)
#define PLL_R 2u
#define A_MICROSECOND (BOARD_CORE_HZ / 1000000u) /* loops, of at least a cycle */

_Static_assert(BOARD_CORE_HZ > 128000000u && BOARD_CORE_HZ <= 160000000u,
               "wait states and voltage are for 160 MHz");
_Static_assert(BOARD_HSE_HZ <= 16000000u, "the booster takes 4 to 16 MHz");

/* What feeds the PLL: the external clock, else the internal 16 MHz. PLL1SRC, 0 if there is neither. */
static uint32_t source(void) {
    if (hal_stm32_start_external()) return PLL1CFGR_SRC_HSE;
    RCC_CR |= CR_HSION;
    return hal_system_wait_for(&RCC_CR, CR_HSIRDY, CR_HSIRDY) ? PLL1CFGR_SRC_HSI : 0u;
}

/* If anything does not become ready, the board stays on the 4 MHz that it starts with. */
uint32_t hal_stm32_start(void) {
    ICACHE_CR |= ICACHE_CR_EN;
    RCC_AHB3ENR |= AHB3ENR_PWR;
    (void)RCC_AHB3ENR; /* two bus cycles until the block listens */
    PWR_VOSR |= VOSR_RANGE1;
    if (!hal_system_wait_for(&PWR_VOSR, VOSR_VOSRDY, VOSR_VOSRDY)) return MSI_HZ;

    const uint32_t from = source();
    if (!from) return MSI_HZ;
    const uint32_t m = (from == PLL1CFGR_SRC_HSE ? BOARD_HSE_HZ : HSI_HZ) / PLL_INPUT_HZ;
    /* The booster takes the PLL's source undivided (PLL1MBOOST = 0); it must be on before 55 MHz (10.5.4). */
    RCC_PLL1CFGR = from | PLL1CFGR_RGE_8_TO_16_MHZ | ((m - 1u) << 8) | PLL1CFGR_REN;
    RCC_PLL1DIVR = (PLL_N - 1u) | (1u << 9) | (1u << 16) | ((PLL_R - 1u) << 24);
    PWR_VOSR |= VOSR_BOOSTEN;
    if (!hal_system_wait_for(&PWR_VOSR, VOSR_BOOSTRDY, VOSR_BOOSTRDY)) return MSI_HZ;
    RCC_CR |= CR_PLL1ON;
    if (!hal_system_wait_for(&RCC_CR, CR_PLL1RDY, CR_PLL1RDY)) return MSI_HZ;

    FLASH_ACR = ACR_4WS_PREFETCH;
    if (!hal_system_wait_for(&FLASH_ACR, ACR_LATENCY, ACR_4WS_PREFETCH & ACR_LATENCY)) return MSI_HZ;
    /* From below to above 80 MHz by way of half the clock, for a microsecond. */
    RCC_CFGR2 = CFGR2_HPRE_DIV2;
    RCC_CFGR1 = (RCC_CFGR1 & ~CFGR1_SW_MASK) | CFGR1_SW_PLL1;
    const bool switched = hal_system_wait_for(&RCC_CFGR1, CFGR1_SWS_MASK, CFGR1_SWS_PLL1);
    if (!switched) RCC_CFGR1 &= ~CFGR1_SW_MASK;
    for (uint32_t i = 0; i < A_MICROSECOND; i++) barrier();
    RCC_CFGR2 = 0;
    return switched ? BOARD_CORE_HZ : MSI_HZ;
}
