/* STM32H743/753 (RM0433): caches, clock tree to 400 MHz, host port, cycle counter.
 *
 * 400 MHz at voltage scale 1 is what every silicon revision allows; 480 MHz (scale 0) needs revision V.
 */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"
#include "../hal.h"
#include "../stm32/gpio.h"

#define GPIOA 0x58020000u

/* Reset and clock control, RM0433 8.7 */
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
#define CR_HSEON BIT(16)
#define CR_HSERDY BIT(17)
#define CR_HSEBYP BIT(18)
#define CR_PLL1ON BIT(24)
#define CR_PLL1RDY BIT(25)
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
#define FLASH_ACR_2WS_WRHIGHFREQ2 (2u | (2u << 4))

#define HSI_HZ 64000000u
#define FULL_SPEED_HZ 400000000u

#include BOARD_HEADER

static uint32_t core_hz = HSI_HZ;

/* 2 MHz into the PLL, 800 MHz out of its oscillator, 400 MHz to the core, 200 MHz to the buses, 100 MHz to
 * the peripherals. Without an external clock the internal oscillator takes its place; if anything does not
 * become ready, the board stays on 64 MHz. */
static void clock_start(void) {
    /* The supply must be chosen before the voltage scale can be (6.4.1);
     * it can be written once after power-on. */
    if ((PWR_CR3 & (CR3_SCUEN | CR3_LDOEN | CR3_BYPASS)) == (CR3_SCUEN | CR3_LDOEN))
        PWR_CR3 = (PWR_CR3 & ~(CR3_SCUEN | CR3_BYPASS)) | CR3_LDOEN;
    if (!hal_system_wait_for(&PWR_CSR1, CSR1_ACTVOSRDY, CSR1_ACTVOSRDY)) return;
    PWR_D3CR |= D3CR_VOS_SCALE1;
    if (!hal_system_wait_for(&PWR_D3CR, D3CR_VOSRDY, D3CR_VOSRDY)) return;

    if (BOARD_HSE_BYPASS) RCC_CR |= CR_HSEBYP;
    RCC_CR |= CR_HSEON;
    const bool external = hal_system_wait_for(&RCC_CR, CR_HSERDY, CR_HSERDY);
    const uint32_t m = (external ? BOARD_HSE_HZ : HSI_HZ) / 2000000u;
    const uint32_t n = 400u, p = 2u;
    RCC_PLLCKSELR = (external ? PLLCKSELR_SRC_HSE : PLLCKSELR_SRC_HSI) | (m << 4);
    RCC_PLLCFGR = PLLCFGR_PLL1RGE_2_TO_4_MHZ | PLLCFGR_DIVP1EN;
    RCC_PLL1DIVR = (n - 1u) | ((p - 1u) << 9) | (1u << 16) | (1u << 24);
    RCC_CR |= CR_PLL1ON;
    if (!hal_system_wait_for(&RCC_CR, CR_PLL1RDY, CR_PLL1RDY)) return;

    FLASH_ACR = FLASH_ACR_2WS_WRHIGHFREQ2; /* 4.3.8: scale 1, 185 < bus clock <= 210 MHz */
    if (!hal_system_wait_for(&FLASH_ACR, 0xFu, 2u)) return;
    RCC_D1CFGR = D1CFGR_HPRE_DIV2_D1PPRE_DIV2;
    RCC_D2CFGR = D2CFGR_BOTH_DIV2;
    RCC_D3CFGR = D3CFGR_DIV2;
    RCC_CFGR = (RCC_CFGR & ~7u) | CFGR_SW_PLL1;
    if (hal_system_wait_for(&RCC_CFGR, CFGR_SWS_MASK, CFGR_SWS_PLL1)) core_hz = FULL_SPEED_HZ;
}

void hal_init(void) {
    hal_cache_enable();
    clock_start();
    hal_system_tick_start(core_hz);
    hal_dwt_start();

    RCC_AHB4ENR |= GPIO_CLOCK(BOARD_UART_TX_PORT) | GPIO_CLOCK(BOARD_UART_RX_PORT);
    BOARD_UART_ENABLE_REGISTER |= BIT(BOARD_UART_ENABLE_BIT);
    (void)BOARD_UART_ENABLE_REGISTER;
    gpio_alternate(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, BOARD_UART_FUNCTION);
    gpio_alternate(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, BOARD_UART_FUNCTION);
    hal_uart_start(core_hz == FULL_SPEED_HZ ? BOARD_UART_CLOCK_HZ(core_hz) : HSI_HZ);
}

uint32_t hal_count(void) {
    return hal_dwt_count();
}

const char *hal_count_unit(void) {
    return "cycles";
}

uint32_t hal_count_rate(void) {
    return core_hz;
}
