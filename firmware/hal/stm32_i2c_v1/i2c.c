/* I2C of the STM32F4 as a master (RM0090 27). */
#include "../common/i2c.h"
#include "../common/cortex_m.h"
#include "../common/system.h"

#include "board.h"

/* 27.6 */
#define I2C_CR1 REG32(BOARD_CAMERA_I2C(BASE) + 0x00u)
#define I2C_CR2 REG32(BOARD_CAMERA_I2C(BASE) + 0x04u)
#define I2C_DR REG32(BOARD_CAMERA_I2C(BASE) + 0x10u)
#define I2C_SR1 REG32(BOARD_CAMERA_I2C(BASE) + 0x14u)
#define I2C_SR2 REG32(BOARD_CAMERA_I2C(BASE) + 0x18u)
#define I2C_CCR REG32(BOARD_CAMERA_I2C(BASE) + 0x1Cu)
#define I2C_TRISE REG32(BOARD_CAMERA_I2C(BASE) + 0x20u)
#define CR1_PE BIT(0)
#define CR1_START BIT(8)
#define CR1_STOP BIT(9)
#define CR1_SWRST BIT(15)
#define SR1_SB BIT(0)
#define SR1_ADDR BIT(1)
#define SR1_BTF BIT(2)
#define SR1_RXNE BIT(6)
#define SR1_TXE BIT(7)
#define SR1_FAILED                                                                                           \
    (BIT(8) | BIT(9) | BIT(10)) /* BERR, ARLO, AF: a wrong edge, another master, not acknowledged */
#define SR2_BUSY BIT(1)

#define BUS_HZ 100000u
#define READING 1u

void hal_i2c_start(uint32_t clock_hz) {
    I2C_CR1 = CR1_SWRST; /* also frees a unit that believes the bus to be busy */
    I2C_CR1 = 0;
    I2C_CR2 = clock_hz / 1000000u;
    I2C_CCR = (clock_hz + 2u * BUS_HZ - 1u) / (2u * BUS_HZ); /* half a period, not shorter */
    I2C_TRISE = clock_hz / 1000000u + 1u;                    /* 1 us, as 27.6.9 has it */
    I2C_CR1 = CR1_PE;
}

/* Waits for a flag; false: something failed before, or nothing came. */
static bool event(uint32_t flag) {
    return hal_system_wait_for(&I2C_SR1, flag, flag) && !(I2C_SR1 & SR1_FAILED);
}

/* Waits until the stop that was asked for has freed the bus. */
static bool left(bool success) {
    I2C_SR1 = 0; /* the flags of failures are cleared by zeros */
    return hal_system_wait_for(&I2C_SR2, SR2_BUSY, 0u) && success;
}

/* Leaves the bus, after success as after a failure. */
static bool stop(bool success) {
    I2C_CR1 = CR1_PE | CR1_STOP;
    return left(success);
}

static bool address_device(uint8_t address, uint32_t direction) {
    I2C_CR1 = CR1_PE | CR1_START; /* without ACK: of a single byte none is acknowledged */
    if (!event(SR1_SB)) return false;
    I2C_DR = ((uint32_t)address << 1) | direction;
    /* A device that does not answer sets AF instead: that ends the wait as well. */
    for (uint32_t tries = 0; tries < 1000000u; tries++) {
        const uint32_t status = I2C_SR1;
        if (status & SR1_FAILED) return false;
        if (status & SR1_ADDR) return (I2C_SR2 & SR2_BUSY) != 0; /* reading that one as well clears ADDR */
    }
    return false;
}

bool hal_i2c_write(uint8_t address, const uint8_t *bytes, uint32_t count) {
    if (!address_device(address, 0)) return stop(false);
    for (uint32_t i = 0; i < count; i++) {
        if (!event(SR1_TXE)) return stop(false);
        I2C_DR = bytes[i];
    }
    return stop(event(SR1_BTF));
}

bool hal_i2c_read(uint8_t address, uint8_t *byte) {
    if (!address_device(address, READING)) return stop(false);
    I2C_CR1 = CR1_PE | CR1_STOP; /* 27.3.3: before the only byte has arrived */
    const bool arrived = event(SR1_RXNE);
    *byte = (uint8_t)I2C_DR;
    return left(arrived); /* a second stop is forbidden (27.6.1) */
}
