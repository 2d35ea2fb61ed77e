/* Arm's MPS2 board with a Cortex-M7 or M33 and MPS3 board with a Cortex-M55, as QEMU's mps2-an500, mps2-an505 and
 * mps3-an547 model them.
 *
 * UART and timer are those of the Cortex-M System Design Kit (its technical reference manual, DDI 0479, 4.2
 * and 4.3); on the MPS3 the system counter of the SSE-300 (its technical reference manual, 101773) serves as timer.
 * With -icount shift=0 an instruction takes 1 ns of virtual time, so a tick of the timer is 40 instructions at
 * 25 MHz, 50 at 20 MHz, 31.25 at 32 MHz.
 */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"
#include "../hal.h"

#include "board.h"

#if defined COUNTER_BASE
#define COUNTER_CONTROL REG32(COUNTER_BASE + 0x00u)
#define COUNTER_LOW REG32(COUNTER_BASE + 0x08u)
#define COUNTER_HIGH REG32(COUNTER_BASE + 0x0Cu)
#else
#define TIMER0_CTRL REG32(TIMER0_BASE + 0x00u)
#define TIMER0_VALUE REG32(TIMER0_BASE + 0x04u)
#define TIMER0_RELOAD REG32(TIMER0_BASE + 0x08u)
#endif

#define UART_DATA REG32(BOARD_UART(BASE) + 0x00u)
#define UART_STATE REG32(BOARD_UART(BASE) + 0x04u)
#define UART_CTRL REG32(BOARD_UART(BASE) + 0x08u)
#define UART_INTCLEAR REG32(BOARD_UART(BASE) + 0x0Cu)
#define UART_BAUDDIV REG32(BOARD_UART(BASE) + 0x10u)
#define STATE_TX_FULL BIT(0)
#define STATE_RX_FULL BIT(1)
#define STATE_RX_OVERRUN BIT(3)
#define CTRL_TX_ENABLE BIT(0)
#define CTRL_RX_ENABLE BIT(1)
#define CTRL_RX_INTERRUPT BIT(3)
#define INT_RX BIT(1)

#define COUNT_HZ 1000000000u
#define COUNTS_PER_TICK (COUNT_HZ / BOARD_CORE_HZ)

static uint32_t overruns;

static uint32_t divider(uint32_t baud) {
    return uart_divider(BOARD_CORE_HZ, baud, 16u, 0xFFFFFu);
}

void hal_uart_start(uint32_t clock_hz) {
    (void)clock_hz; /* the bus runs at the core's clock */
    UART_BAUDDIV = divider(115200u);
    UART_CTRL = CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_RX_INTERRUPT;
    nvic_enable(BOARD_UART(IRQ));
}

bool hal_uart_take(uint8_t *byte) {
    UART_INTCLEAR =
        INT_RX; /* an event, not a level: cleared before looking, a byte that comes later sets it again */
    const uint32_t state = UART_STATE;
    if (state & STATE_RX_OVERRUN) {
        overruns++;
        UART_STATE = STATE_RX_OVERRUN;
    }
    if (!(state & STATE_RX_FULL)) return false;
    *byte = (uint8_t)UART_DATA;
    return true;
}

uint32_t hal_uart_overruns(void) {
    const uint32_t count = overruns;
    overruns = 0;
    return count;
}

bool hal_uart_send(uint8_t byte) {
    if (!hal_system_wait_for(&UART_STATE, STATE_TX_FULL, 0u)) return false;
    UART_DATA = byte;
    return true;
}

bool hal_uart_set_baud(uint32_t baud) {
    const uint32_t value = divider(baud);
    if (!value) return false;
    (void)hal_system_wait_for(&UART_STATE, STATE_TX_FULL, 0u);
    UART_BAUDDIV = value;
    return true;
}

#if defined COUNTER_BASE

void hal_counter_start(uint32_t core_hz) {
    (void)core_hz;
    COUNTER_CONTROL = 1;
}

/* The counter counts up, in 64 bits. */
uint32_t hal_count(void) {
    uint32_t high = COUNTER_HIGH, low = COUNTER_LOW;
    if (COUNTER_HIGH != high) {
        low = COUNTER_LOW;
        high = COUNTER_HIGH;
    }
    return (uint32_t)(((uint64_t)high << 32 | low) * (COUNT_HZ / 1000000u) / (BOARD_CORE_HZ / 1000000u));
}

#else

void hal_counter_start(uint32_t core_hz) {
    (void)core_hz;
    TIMER0_RELOAD = 0xFFFFFFFFu;
    TIMER0_VALUE = 0xFFFFFFFFu;
    TIMER0_CTRL = 1;
}

/* The timer counts down; the product wraps where the 32-bit count does, so differences stay right. */
uint32_t hal_count(void) {
    return (0xFFFFFFFFu - TIMER0_VALUE) * COUNTS_PER_TICK;
}

#endif

void hal_watchdog_feed(void) {}

void hal_init(void) {
    hal_counter_start(BOARD_CORE_HZ);
    hal_system_tick_start(BOARD_CORE_HZ);
    hal_uart_start(BOARD_CORE_HZ);
}

const char *hal_count_unit(void) {
    return "instructions";
}

uint32_t hal_count_rate(void) {
    return COUNT_HZ;
}
