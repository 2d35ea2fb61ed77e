/* STM32F745/746/756 (RM0385): caches, clock tree to 216 MHz with over-drive, host port, cycle counter. */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"
#include "../hal.h"
#include "../stm32/gpio.h"

#define GPIOA 0x40020000u

/* Reset and clock control, RM0385 5.3 */
#define RCC_BASE 0x40023800u
#define RCC_CR REG32(RCC_BASE + 0x00u)
#define RCC_PLLCFGR REG32(RCC_BASE + 0x04u)
#define RCC_CFGR REG32(RCC_BASE + 0x08u)
#define RCC_AHB1ENR REG32(RCC_BASE + 0x30u)
#define RCC_APB1ENR REG32(RCC_BASE + 0x40u)
#define RCC_APB2ENR REG32(RCC_BASE + 0x44u)
#define CR_HSEON BIT(16)
#define CR_HSERDY BIT(17)
#define CR_HSEBYP BIT(18)
#define CR_PLLON BIT(24)
#define CR_PLLRDY BIT(25)
#define PLLCFGR_SRC_HSE BIT(22)
#define CFGR_SW_PLL 2u
#define CFGR_SWS_MASK (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_DIV4 (5u << 10)
#define CFGR_PPRE2_DIV2 (4u << 13)
#define APB1ENR_PWR BIT(28)

/* Power, 4.4 */
#define PWR_CR1 REG32(0x40007000u)
#define PWR_CSR1 REG32(0x40007004u)
#define CR1_VOS_SCALE1 (3u << 14)
#define CR1_ODEN BIT(16)
#define CR1_ODSWEN BIT(17)
#define CSR1_ODRDY BIT(16)
#define CSR1_ODSWRDY BIT(17)

/* Flash interface, 3.7: prefetch and the ART accelerator serve the ITCM port only,
 * the caches serve this one */
#define FLASH_ACR REG32(0x40023C00u)
#define FLASH_ACR_7WS_PREFETCH_ART (7u | BIT(8) | BIT(9))

#define HSI_HZ 16000000u
#define FULL_SPEED_HZ 216000000u

#include BOARD_HEADER

static uint32_t core_hz = HSI_HZ;

/* 1 MHz into the PLL, 432 MHz out of its oscillator, 216 MHz to the core, 108 MHz to APB2, 54 MHz to APB1.
 * Without a crystal the internal oscillator takes its place; if anything does not become ready, the board
 * stays on 16 MHz. */
static void clock_start(void) {
    RCC_APB1ENR |= APB1ENR_PWR;
    (void)RCC_APB1ENR; /* two bus cycles until the block listens */
    PWR_CR1 |= CR1_VOS_SCALE1;

    if (BOARD_HSE_BYPASS) RCC_CR |= CR_HSEBYP;
    RCC_CR |= CR_HSEON;
    const bool crystal = hal_system_wait_for(&RCC_CR, CR_HSERDY, CR_HSERDY);
    const uint32_t m = (crystal ? BOARD_HSE_HZ : HSI_HZ) / 1000000u;
    const uint32_t n = 432u, q = 9u; /* P = 2 is coded as 0; Q gives 48 MHz */
    RCC_PLLCFGR = m | (n << 6) | (crystal ? PLLCFGR_SRC_HSE : 0u) | (q << 24);
    RCC_CR |= CR_PLLON;

    /* Over-drive while the PLL locks (4.1.4, entering over-drive mode) */
    PWR_CR1 |= CR1_ODEN;
    if (!hal_system_wait_for(&PWR_CSR1, CSR1_ODRDY, CSR1_ODRDY)) return;
    PWR_CR1 |= CR1_ODSWEN;
    if (!hal_system_wait_for(&PWR_CSR1, CSR1_ODSWRDY, CSR1_ODSWRDY)) return;
    if (!hal_system_wait_for(&RCC_CR, CR_PLLRDY, CR_PLLRDY)) return;

    FLASH_ACR = FLASH_ACR_7WS_PREFETCH_ART; /* 3.3.2: 210 < HCLK <= 216 MHz at 2.7 to 3.6 V */
    (void)FLASH_ACR;
    RCC_CFGR = CFGR_PPRE1_DIV4 | CFGR_PPRE2_DIV2;
    RCC_CFGR |= CFGR_SW_PLL;
    if (hal_system_wait_for(&RCC_CFGR, CFGR_SWS_MASK, CFGR_SWS_PLL)) core_hz = FULL_SPEED_HZ;
}

void hal_init(void) {
    hal_cache_enable();
    clock_start();
    hal_system_tick_start(core_hz);
    hal_dwt_start();

    RCC_AHB1ENR |= GPIO_CLOCK(BOARD_UART_TX_PORT) | GPIO_CLOCK(BOARD_UART_RX_PORT);
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
