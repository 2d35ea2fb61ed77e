/* Clock tree of the STM32L4+ (RM0432 5 and 6): 4 MHz into the PLL, twice the core's clock out of its oscillator. */
#include "../common/system.h"
#include "../stm32/stm32.h"

#include "board.h"

#define CR_HSION BIT(8)
#define CR_HSIRDY BIT(10)
#define CR_PLLON BIT(24)
#define CR_PLLRDY BIT(25)
#define PLLCFGR_SRC_HSI 2u
#define PLLCFGR_SRC_HSE 3u
#define PLLCFGR_REN BIT(24) /* R = 2 is coded as 0 */
#define CFGR_SW_MASK 3u
#define CFGR_SW_PLL 3u
#define CFGR_SWS_MASK (3u << 2)
#define CFGR_SWS_PLL (3u << 2)
#define CFGR_HPRE_DIV2 (8u << 4)
#define APB1ENR1_PWR BIT(28)

/* Power, 5.4: range 1 is the one after reset; its boost mode is for more than 80 MHz */
#define PWR_CR2 REG32(0x40007004u)
#define PWR_CR5 REG32(0x40007080u)
#define CR2_IOSV BIT(9) /* the supply of port G's pins 2 to 15 is there */
#define CR5_R1MODE BIT(8)

#define ACR_LATENCY 0xFu
#define ACR_5WS_PREFETCH_CACHES                                                                              \
    (5u | BIT(8) | BIT(9) | BIT(10)) /* 3.3.3: range 1, boost, 100 < HCLK <= 120 MHz */

#define MSI_HZ 4000000u
#define HSI_HZ 16000000u
#define PLL_INPUT_HZ 4000000u
#define PLL_N (2u * BOARD_CORE_HZ / PLL_INPUT_HZ)
#define A_MICROSECOND (BOARD_CORE_HZ / 1000000u) /* loops, of at least a cycle */

_Static_assert(BOARD_CORE_HZ > 100000000u && BOARD_CORE_HZ <= 120000000u,
               "wait states and voltage are for 120 MHz");

/* What feeds the PLL: the external clock, else the internal 16 MHz. PLLSRC, 0 if there is neither. */
static uint32_t source(void) {
    if (hal_stm32_start_external()) return PLLCFGR_SRC_HSE;
    RCC_CR |= CR_HSION;
    return hal_system_wait_for(&RCC_CR, CR_HSIRDY, CR_HSIRDY) ? PLLCFGR_SRC_HSI : 0u;
}

/* If anything does not become ready, the board stays on the 4 MHz that it starts with. */
uint32_t hal_stm32_start(void) {
    RCC_APB1ENR1 |= APB1ENR1_PWR;
    (void)RCC_APB1ENR1; /* two bus cycles until the block listens */
    PWR_CR2 |= CR2_IOSV;
    PWR_CR5 &= ~CR5_R1MODE;

    const uint32_t from = source();
    if (!from) return MSI_HZ;
    const uint32_t m = (from == PLLCFGR_SRC_HSE ? BOARD_HSE_HZ : HSI_HZ) / PLL_INPUT_HZ;
    RCC_PLLCFGR = from | ((m - 1u) << 4) | (PLL_N << 8) | PLLCFGR_REN;
    RCC_CR |= CR_PLLON;
    if (!hal_system_wait_for(&RCC_CR, CR_PLLRDY, CR_PLLRDY)) return MSI_HZ;

    FLASH_ACR = ACR_5WS_PREFETCH_CACHES;
    if (!hal_system_wait_for(&FLASH_ACR, ACR_LATENCY, ACR_5WS_PREFETCH_CACHES & ACR_LATENCY)) return MSI_HZ;
    /* From below to above 80 MHz by way of half the clock, for a microsecond (5.1.8). */
    RCC_CFGR = CFGR_HPRE_DIV2;
    RCC_CFGR |= CFGR_SW_PLL;
    if (!hal_system_wait_for(&RCC_CFGR, CFGR_SWS_MASK, CFGR_SWS_PLL)) {
        RCC_CFGR = 0;
        return MSI_HZ;
    }
    for (uint32_t i = 0; i < A_MICROSECOND; i++) barrier();
    RCC_CFGR = CFGR_SW_PLL;
    return BOARD_CORE_HZ;
}
