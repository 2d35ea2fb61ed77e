/* I2C of the STM32F7 (RM0385 30), H7 (RM0433 47), L4 and U5 as a master. */
#include "../common/i2c.h"
#include "../common/cortex_m.h"
#include "../common/system.h"

#include "board.h"

/* RM0385 30.7 */
#define I2C_CR1 REG32(BOARD_CAMERA_I2C(BASE) + 0x00u)
#define I2C_CR2 REG32(BOARD_CAMERA_I2C(BASE) + 0x04u)
#define I2C_TIMINGR REG32(BOARD_CAMERA_I2C(BASE) + 0x10u)
#define I2C_ISR REG32(BOARD_CAMERA_I2C(BASE) + 0x18u)
#define I2C_ICR REG32(BOARD_CAMERA_I2C(BASE) + 0x1Cu)
#define I2C_RXDR REG32(BOARD_CAMERA_I2C(BASE) + 0x24u)
#define I2C_TXDR REG32(BOARD_CAMERA_I2C(BASE) + 0x28u)
#define CR1_PE BIT(0)
#define CR2_RD_WRN BIT(10)
#define CR2_START BIT(13)
#define CR2_AUTOEND BIT(25)
#define ISR_TXIS BIT(1)
#define ISR_RXNE BIT(2)
#define ISR_NACKF BIT(4)
#define ISR_STOPF BIT(5)
#define ISR_FAILED                                                                                           \
    (ISR_NACKF | BIT(8) | BIT(9)) /* not acknowledged, BERR: a wrong edge, ARLO: another master */
#define ICR_ALL (ISR_STOPF | ISR_FAILED)
#define PRESCALERS 16u
#define TICK_HZ 4000000u /* or faster, where the prescaler is too small */

static uint32_t timing;

/* `microseconds` / 4 in ticks of this rate, rounded up. */
static uint32_t quarters(uint32_t tick_hz, uint32_t microseconds) {
    return (tick_hz / 1000u * microseconds + 3999u) / 4000u;
}

static void enable(void) {
    I2C_CR1 = 0; /* clears what hangs (30.4.5) */
    I2C_TIMINGR = timing;
    (void)I2C_CR1; /* off for three cycles of the bus */
    I2C_CR1 = CR1_PE;
}

/* Standard mode, table 30.4.9: low for 5 us, high for 4 us, data set up for 1.25 us and held for 0.5 us. */
void hal_i2c_start(uint32_t clock_hz) {
    uint32_t prescaler = (clock_hz + TICK_HZ - 1u) / TICK_HZ;
    if (prescaler > PRESCALERS) prescaler = PRESCALERS;
    const uint32_t tick_hz = clock_hz / prescaler;
    timing = ((prescaler - 1u) << 28) | ((quarters(tick_hz, 5u) - 1u) << 20) | (quarters(tick_hz, 2u) << 16) |
             ((quarters(tick_hz, 16u) - 1u) << 8) | (quarters(tick_hz, 20u) - 1u);
    enable();
}

/* Waits for one of these flags; false: something failed, or nothing came. */
static bool event(uint32_t flags) {
    for (uint32_t tries = 0; tries < 1000000u; tries++) {
        const uint32_t status = I2C_ISR;
        if (status & ISR_FAILED) return false;
        if (status & flags) return true;
    }
    return false;
}

/* The stop comes by itself, behind the last byte or a failure. */
static bool finish(bool success) {
    const bool stopped = hal_system_wait_for(&I2C_ISR, ISR_STOPF, ISR_STOPF);
    success = success && stopped && !(I2C_ISR & ISR_FAILED);
    I2C_ICR = ICR_ALL;
    if (!success) enable();
    return success;
}

static void begin(uint8_t address, uint32_t count, uint32_t direction) {
    I2C_CR2 = ((uint32_t)address << 1) | (count << 16) | direction | CR2_AUTOEND | CR2_START;
}

bool hal_i2c_write(uint8_t address, const uint8_t *bytes, uint32_t count) {
    begin(address, count, 0);
    for (uint32_t i = 0; i < count; i++) {
        if (!event(ISR_TXIS)) return finish(false);
        I2C_TXDR = bytes[i];
    }
    return finish(true);
}

bool hal_i2c_read(uint8_t address, uint8_t *byte) {
    begin(address, 1u, CR2_RD_WRN);
    const bool arrived = event(ISR_RXNE);
    *byte = (uint8_t)I2C_RXDR;
    return finish(arrived);
}
