/* STM32H743/753 (RM0433): caches and clock tree; 2 MHz into the PLL, twice the core's clock out of its oscillator, half
 * of it to the buses, a quarter to the peripherals.
 *
 * 400 MHz at voltage scale 1 is what every silicon revision allows; 480 MHz (scale 0) needs revision V.
 */
#include "../common/system.h"
#include "../stm32/stm32.h"

#include "board.h"

#define CR_PLL1ON BIT(24)
#define CR_PLL1RDY BIT(25)
#define CFGR_SW_MASK 7u
#define CFGR_SW_PLL1 3u
#define CFGR_SWS_MASK (7u << 3)
#define CFGR_SWS_PLL1 (3u << 3)
#define D1CFGR_HPRE_DIV2_D1PPRE_DIV2 (8u | (4u << 4))
#define D2CFGR_BOTH_DIV2 ((4u << 4) | (4u << 8))
#define D3CFGR_DIV2 (4u << 4)
#define PLLCKSELR_SRC_HSI 0u
#define PLLCKSELR_SRC_HSE 2u
#define PLLCFGR_PLL1RGE_2_TO_4_MHZ (1u << 2) /* and the wide oscillator range: PLL1VCOSEL = 0 */
#define PLLCFGR_DIVP1EN BIT(16)

/* Power, 6.8 */
#define PWR_CSR1 REG32(0x58024804u)
#define PWR_CR3 REG32(0x5802480Cu)
#define PWR_D3CR REG32(0x58024818u)
#define CSR1_ACTVOSRDY BIT(13)
#define CR3_BYPASS BIT(0)
#define CR3_LDOEN BIT(1)
#define CR3_SCUEN BIT(2)
#define D3CR_VOS_SCALE1 (3u << 14)
#define D3CR_VOSRDY BIT(13)

/* Flash interface, 4.9.1 */
#define FLASH_ACR REG32(0x52002000u)
#define ACR_LATENCY 0xFu
#define ACR_2WS_WRHIGHFREQ2 (2u | (2u << 4)) /* 4.3.8: scale 1, 185 < bus clock <= 210 MHz */

#define HSI_HZ 64000000u
#define PLL_INPUT_HZ 2000000u
#define PLL_N (2u * BOARD_CORE_HZ / PLL_INPUT_HZ)
#define PLL_P 2u

_Static_assert(BOARD_CORE_HZ > 370000000u && BOARD_CORE_HZ <= 400000000u,
               "wait states and voltage are for 400 MHz");

/* Without an external clock the internal oscillator takes its place; if anything else does not become ready, the board
 * stays on its 64 MHz. */
uint32_t hal_stm32_start(void) {
    hal_cache_enable();
    /* The supply must be chosen before the voltage scale can be (6.4.1);
     * it can be written once after power-on. */
    if ((PWR_CR3 & (CR3_SCUEN | CR3_LDOEN | CR3_BYPASS)) == (CR3_SCUEN | CR3_LDOEN))
        PWR_CR3 = (PWR_CR3 & ~(CR3_SCUEN | CR3_BYPASS)) | CR3_LDOEN;
    if (!hal_system_wait_for(&PWR_CSR1, CSR1_ACTVOSRDY, CSR1_ACTVOSRDY)) return HSI_HZ;
    PWR_D3CR |= D3CR_VOS_SCALE1;
    if (!hal_system_wait_for(&PWR_D3CR, D3CR_VOSRDY, D3CR_VOSRDY)) return HSI_HZ;

    const bool external = hal_stm32_start_external();
    const uint32_t m = (external ? BOARD_HSE_HZ : HSI_HZ) / PLL_INPUT_HZ;
    RCC_PLLCKSELR = (external ? PLLCKSELR_SRC_HSE : PLLCKSELR_SRC_HSI) | (m << 4);
    RCC_PLLCFGR = PLLCFGR_PLL1RGE_2_TO_4_MHZ | PLLCFGR_DIVP1EN;
    RCC_PLL1DIVR = (PLL_N - 1u) | ((PLL_P - 1u) << 9) | (1u << 16) | (1u << 24);
    RCC_CR |= CR_PLL1ON;
    if (!hal_system_wait_for(&RCC_CR, CR_PLL1RDY, CR_PLL1RDY)) return HSI_HZ;

    FLASH_ACR = ACR_2WS_WRHIGHFREQ2;
    if (!hal_system_wait_for(&FLASH_ACR, ACR_LATENCY, ACR_2WS_WRHIGHFREQ2 & ACR_LATENCY)) return HSI_HZ;
    RCC_D1CFGR = D1CFGR_HPRE_DIV2_D1PPRE_DIV2;
    RCC_D2CFGR = D2CFGR_BOTH_DIV2;
    RCC_D3CFGR = D3CFGR_DIV2;
    RCC_CFGR = (RCC_CFGR & ~CFGR_SW_MASK) | CFGR_SW_PLL1;
    if (hal_system_wait_for(&RCC_CFGR, CFGR_SWS_MASK, CFGR_SWS_PLL1)) return BOARD_CORE_HZ;
    RCC_CFGR &= ~CFGR_SW_MASK; /* the buses have the core's clock again */
    RCC_D1CFGR = 0;
    RCC_D2CFGR = 0;
    RCC_D3CFGR = 0;
    return HSI_HZ;
}
