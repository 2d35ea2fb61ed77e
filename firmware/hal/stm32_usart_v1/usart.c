/* USART of the STM32F4 (RM0090, chapter 30): one status register, one data register for both directions. */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"

#include "board.h"

#define USART_SR REG32(BOARD_UART(BASE) + 0x00u)
#define USART_DR REG32(BOARD_UART(BASE) + 0x04u)
#define USART_BRR REG32(BOARD_UART(BASE) + 0x08u)
#define USART_CR1 REG32(BOARD_UART(BASE) + 0x0Cu)

#define SR_ORE BIT(3)
#define SR_RXNE BIT(5)
#define SR_TC BIT(6)
#define SR_TXE BIT(7)
#define CR1_RE BIT(2)
#define CR1_TE BIT(3)
#define CR1_RXNEIE BIT(5)
#define CR1_UE BIT(13)

static uint32_t clock;
static uint32_t overruns;

/* 16 samples a bit: BRR is the divider itself, 12.4 bits, at least 1.0 (30.3.4). */
static uint32_t divider(uint32_t baud) {
    return uart_divider(clock, baud, 16u, 0xFFFFu);
}

void hal_uart_start(uint32_t clock_hz) {
    clock = clock_hz;
    USART_CR1 = 0;
    USART_BRR = divider(115200u);
    USART_CR1 = CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
    nvic_enable(BOARD_UART(IRQ));
}

bool hal_uart_take(uint8_t *byte) {
    const uint32_t status = USART_SR;
    if (!(status & (SR_RXNE | SR_ORE))) return false;
    if (status & SR_ORE) overruns++;
    *byte = (uint8_t)USART_DR; /* reading status, then data clears both flags */
    return (status & SR_RXNE) != 0;
}

uint32_t hal_uart_overruns(void) {
    const uint32_t count = overruns;
    overruns = 0;
    return count;
}

bool hal_uart_send(uint8_t byte) {
    if (!hal_system_wait_for(&USART_SR, SR_TXE, SR_TXE)) return false;
    USART_DR = byte;
    return true;
}

bool hal_uart_set_baud(uint32_t baud) {
    const uint32_t value = divider(baud);
    if (!value) return false;
    (void)hal_system_wait_for(&USART_SR, SR_TC, SR_TC);
    USART_BRR = value;
    return true;
}
