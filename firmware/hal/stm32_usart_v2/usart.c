/* USART of the STM32F7, H7, L4+ and U5 (RM0385 chapter 31, RM0433 48, RM0432 50, RM0456 66): separate status, clear and
 * data registers. All but the F7's have a FIFO of 8 or 16 bytes, which rides out interrupts that come late. The LPUART
 * (RM0432 51) differs in its divider alone. */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../common/uart.h"

#include "board.h"

#define USART_CR1 REG32(BOARD_UART(BASE) + 0x00u)
#define USART_BRR REG32(BOARD_UART(BASE) + 0x0Cu)
#define USART_ISR REG32(BOARD_UART(BASE) + 0x1Cu)
#define USART_ICR REG32(BOARD_UART(BASE) + 0x20u)
#define USART_RDR REG32(BOARD_UART(BASE) + 0x24u)
#define USART_TDR REG32(BOARD_UART(BASE) + 0x28u)

#define CR1_UE BIT(0)
#define CR1_RE BIT(2)
#define CR1_TE BIT(3)
#define CR1_RXNEIE BIT(5)
#define CR1_FIFOEN BIT(29)
#define ISR_ORE BIT(3)
#define ISR_RXNE BIT(5)
#define ISR_TC BIT(6)
#define ISR_TXE BIT(7)
#define ICR_ALL_ERRORS 0xFu /* parity, framing, noise, overrun */
#define ICR_ORECF BIT(3)

#if STM32_UART_FIFO
#define CR1_FIFO CR1_FIFOEN
#else
#define CR1_FIFO 0u
#endif

static uint32_t clock;
static uint32_t overruns;

/* 16 samples a bit: BRR is the divider itself, at least 16. An LPUART's is in 256ths, at least three (RM0432 51.4.7). */
static uint32_t divider(uint32_t baud) {
    if (!BOARD_UART(LOW_POWER)) return uart_divider(clock, baud, 16u, 0xFFFFu);
    const uint64_t value = baud ? ((uint64_t)clock * 256u + baud / 2u) / baud : 0u;
    return value >= 0x300u && value <= 0xFFFFFu ? (uint32_t)value : 0u;
}

static void enable(uint32_t brr) {
    USART_CR1 = CR1_FIFO; /* BRR and FIFOEN may be written only while the port is disabled */
    USART_BRR = brr;
    USART_ICR = ICR_ALL_ERRORS;
    USART_CR1 = CR1_FIFO | CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
}

void hal_uart_start(uint32_t clock_hz) {
    clock = clock_hz;
    enable(divider(115200u));
    nvic_enable(BOARD_UART(IRQ));
}

bool hal_uart_take(uint8_t *byte) {
    const uint32_t status = USART_ISR;
    if (status & ISR_ORE) { /* left set, it would raise the interrupt for ever */
        overruns++;
        USART_ICR = ICR_ORECF;
    }
    if (!(status & ISR_RXNE)) return false;
    *byte = (uint8_t)USART_RDR;
    return true;
}

uint32_t hal_uart_overruns(void) {
    const uint32_t count = overruns;
    overruns = 0;
    return count;
}

bool hal_uart_send(uint8_t byte) {
    if (!hal_system_wait_for(&USART_ISR, ISR_TXE, ISR_TXE)) return false;
    USART_TDR = byte;
    return true;
}

bool hal_uart_set_baud(uint32_t baud) {
    const uint32_t value = divider(baud);
    if (!value) return false;
    (void)hal_system_wait_for(&USART_ISR, ISR_TC, ISR_TC);
    enable(value);
    return true;
}
