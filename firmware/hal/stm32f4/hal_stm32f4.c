/* STM32F405/407 (RM0090): clock tree to 168 MHz, host port, counter.
 *
 * In the simulator the clock registers read 0 and the core always runs at 168 MHz of virtual time; the serial
 * driver is the real one. The counter is TIM2, which QEMU runs at 1 GHz of virtual time: one count per
 * instruction when virtual time advances by 1 ns per instruction (-icount shift=0).
 */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"
#include "../hal.h"
#include "../stm32/gpio.h"

#include BOARD_HEADER

#define GPIOA 0x40020000u

/* Reset and clock control, RM0090 7.3 */
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
#define PLLCFGR_R2 BIT(29) /* reserved and 1 after reset; the F446 (RM0390) divides by it, by 2 at least */
#define CFGR_SW_PLL 2u
#define CFGR_SWS_MASK (3u << 2)
#define CFGR_SWS_PLL (2u << 2)
#define CFGR_PPRE1_DIV4 (5u << 10)
#define CFGR_PPRE2_DIV2 (4u << 13)
#define APB1ENR_TIM2 BIT(0)
#define APB1ENR_PWR BIT(28)

/* Power, 5.4; flash interface, 3.9 */
#define PWR_CR REG32(0x40007000u)
#define PWR_CR_VOS_SCALE1 BIT(14)
#define FLASH_ACR REG32(0x40023C00u)
#define FLASH_ACR_5WS_PREFETCH_CACHES (5u | BIT(8) | BIT(9) | BIT(10))

/* TIM2, 18.4 */
#define TIM2_BASE 0x40000000u
#define TIM2_CR1 REG32(TIM2_BASE + 0x00u)
#define TIM2_EGR REG32(TIM2_BASE + 0x14u)
#define TIM2_CNT REG32(TIM2_BASE + 0x24u)
#define TIM2_PSC REG32(TIM2_BASE + 0x28u)
#define TIM2_ARR REG32(TIM2_BASE + 0x2Cu)

#define HSI_HZ 16000000u
#define FULL_SPEED_HZ 168000000u
#define SIMULATED_COUNT_HZ 1000000000u

static uint32_t core_hz = HSI_HZ;

/* 1 MHz into the PLL, 336 MHz out of its oscillator, 168 MHz to the core, 84 MHz to APB2, 42 MHz to APB1.
 * Without a crystal the internal oscillator takes its place; if the PLL does not lock,
 * the board stays on 16 MHz. */
static void clock_start(void) {
    RCC_APB1ENR |= APB1ENR_PWR;
    (void)RCC_APB1ENR; /* two bus cycles until the block listens */
    PWR_CR |= PWR_CR_VOS_SCALE1;

    if (BOARD_HSE_BYPASS) RCC_CR |= CR_HSEBYP;
    RCC_CR |= CR_HSEON;
    const bool crystal = hal_system_wait_for(&RCC_CR, CR_HSERDY, CR_HSERDY);
    const uint32_t m = (crystal ? BOARD_HSE_HZ : HSI_HZ) / 1000000u;
    const uint32_t n = 336u, q = 7u; /* P = 2 is coded as 0; Q gives 48 MHz */
    RCC_PLLCFGR = m | (n << 6) | (crystal ? PLLCFGR_SRC_HSE : 0u) | (q << 24) | PLLCFGR_R2;
    RCC_CR |= CR_PLLON;
    if (!hal_system_wait_for(&RCC_CR, CR_PLLRDY, CR_PLLRDY)) return;

    FLASH_ACR = FLASH_ACR_5WS_PREFETCH_CACHES; /* 3.5.1: 150 < HCLK <= 168 MHz at 2.7 to 3.6 V */
    (void)FLASH_ACR;
    RCC_CFGR = CFGR_PPRE1_DIV4 | CFGR_PPRE2_DIV2;
    RCC_CFGR |= CFGR_SW_PLL;
    if (hal_system_wait_for(&RCC_CFGR, CFGR_SWS_MASK, CFGR_SWS_PLL)) core_hz = FULL_SPEED_HZ;
}

static void counter_start(void) {
    if (!HAL_SIMULATED) {
        hal_dwt_start();
        return;
    }
    RCC_APB1ENR |= APB1ENR_TIM2;
    TIM2_PSC = 0;
    TIM2_ARR = 0xFFFFFFFFu;
    TIM2_EGR = 1;
    TIM2_CR1 = 1;
}

void hal_init(void) {
    if (HAL_SIMULATED)
        core_hz = FULL_SPEED_HZ;
    else
        clock_start();
    hal_system_tick_start(core_hz);
    counter_start();

    RCC_AHB1ENR |= GPIO_CLOCK(BOARD_UART_TX_PORT) | GPIO_CLOCK(BOARD_UART_RX_PORT);
    BOARD_UART_ENABLE_REGISTER |= BIT(BOARD_UART_ENABLE_BIT);
    (void)BOARD_UART_ENABLE_REGISTER;
    gpio_alternate(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, BOARD_UART_FUNCTION);
    gpio_alternate(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, BOARD_UART_FUNCTION);
    hal_uart_start(core_hz == FULL_SPEED_HZ ? BOARD_UART_CLOCK_HZ(core_hz) : HSI_HZ);
}

uint32_t hal_count(void) {
    return HAL_SIMULATED ? TIM2_CNT : hal_dwt_count();
}

const char *hal_count_unit(void) {
    return HAL_SIMULATED ? "instructions" : "cycles";
}

uint32_t hal_count_rate(void) {
    return HAL_SIMULATED ? SIMULATED_COUNT_HZ : core_hz;
}
