/* hal_init of every STM32: clocks by the family, then host port, counter, lamp, watchdog. */
#include "stm32.h"
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"
#include "../hal.h"
#include "gpio.h"

#include "board.h"

/* Clock control register, the same bits in all families (RM0090 7.3, RM0433 8.7, RM0432 6.4, RM0456 11.8) */
#define CR_HSEON BIT(16)
#define CR_HSERDY BIT(17)
#define CR_HSEBYP BIT(18)

/* Independent watchdog, the same in all families (RM0090 21.4, RM0433 45.4, RM0432 43.4, RM0456 65.7) */
#define IWDG_KR REG32(IWDG_BASE + 0x00u)
#define IWDG_PR REG32(IWDG_BASE + 0x04u)
#define IWDG_RLR REG32(IWDG_BASE + 0x08u)
#define IWDG_SR REG32(IWDG_BASE + 0x0Cu)
#define IWDG_START 0xCCCCu
#define IWDG_UNLOCK 0x5555u
#define IWDG_RELOAD 0xAAAAu
#define IWDG_PR_DIV256 6u
#define IWDG_HZ 125u /* its oscillator's 32 kHz by 256 */

bool hal_stm32_start_external(void) {
    if (!BOARD_HSE_HZ) return false;
    if (BOARD_HSE_BYPASS) RCC_CR |= CR_HSEBYP;
    RCC_CR |= CR_HSEON;
    return hal_system_wait_for(&RCC_CR, CR_HSERDY, CR_HSERDY);
}

static void watchdog_start(void) {
    if (!BOARD_WATCHDOG_SECONDS) return;
    IWDG_KR = IWDG_START;
    IWDG_KR = IWDG_UNLOCK;
    IWDG_PR = IWDG_PR_DIV256;
    IWDG_RLR = BOARD_WATCHDOG_SECONDS * IWDG_HZ - 1u;
    (void)hal_system_wait_for(&IWDG_SR, 3u, 0u); /* both have arrived at the slow side */
    IWDG_KR = IWDG_RELOAD;
}

void hal_watchdog_feed(void) {
    if (BOARD_WATCHDOG_SECONDS) IWDG_KR = IWDG_RELOAD;
}

void hal_init(void) {
    const uint32_t core_hz = hal_stm32_start();
    hal_system_tick_start(core_hz);
    hal_counter_start(core_hz);

    GPIO_ENABLE |= GPIO_CLOCK(BOARD_UART_TX_PORT) | GPIO_CLOCK(BOARD_UART_RX_PORT);
    BOARD_UART(ENABLE) |= BIT(BOARD_UART(ENABLE_BIT));
    (void)BOARD_UART(ENABLE); /* two bus cycles until the block listens */
    gpio_alternate(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, BOARD_UART_FUNCTION);
    gpio_alternate(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, BOARD_UART_FUNCTION);
    hal_uart_start(core_hz == BOARD_CORE_HZ ? BOARD_UART(CLOCK_HZ) : core_hz);
#if BOARD_HAS_LED
    GPIO_ENABLE |= GPIO_CLOCK(BOARD_LED_PORT);
    (void)GPIO_ENABLE;
    gpio_output(BOARD_LED_PORT, BOARD_LED_PIN, BOARD_LED_LIT);
#endif
    watchdog_start();
}
