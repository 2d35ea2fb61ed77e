/* SPI of the STM32H7 as a master (RM0433 50). */
#include "../common/spi.h"
#include "../common/cortex_m.h"
#include "../common/system.h"

#include "board.h"

/* 50.11 */
#define SPI_CR1 REG32(BOARD_CAMERA_SPI(BASE) + 0x00u)
#define SPI_CR2 REG32(BOARD_CAMERA_SPI(BASE) + 0x04u)
#define SPI_CFG1 REG32(BOARD_CAMERA_SPI(BASE) + 0x08u)
#define SPI_CFG2 REG32(BOARD_CAMERA_SPI(BASE) + 0x0Cu)
#define SPI_SR REG32(BOARD_CAMERA_SPI(BASE) + 0x14u)
#define SPI_TXDR REG8(BOARD_CAMERA_SPI(BASE) + 0x20u) /* an access is as wide as what goes out */
#define SPI_RXDR REG8(BOARD_CAMERA_SPI(BASE) + 0x30u)
#define CR1_SPE BIT(0)
#define CR1_CSTART BIT(9)
#define CR1_SSI BIT(12) /* nobody else is the master */
#define CFG1_EIGHT_BITS 7u
#define CFG1_MBR(power) ((power) << 28) /* divides by 2 to the power of one more */
#define SLOWEST 7u
#define CFG2_MASTER BIT(22)
#define CFG2_SSM BIT(26)
#define CFG2_AFCNTR BIT(31) /* the pins stay driven while the unit is off */
#define SR_RXP BIT(0)
#define SR_TXP BIT(1)

void hal_spi_start(uint32_t clock_hz, uint32_t most_hz) {
    uint32_t power = 0;
    while (power < SLOWEST && clock_hz >> (power + 1u) > most_hz) power++;
    SPI_CR1 = CR1_SSI; /* off: only then can it be set up */
    SPI_CR2 = 0;       /* as many bytes as come */
    SPI_CFG1 = CFG1_MBR(power) | CFG1_EIGHT_BITS;
    SPI_CFG2 = CFG2_MASTER | CFG2_SSM | CFG2_AFCNTR;
    SPI_CR1 = CR1_SSI | CR1_SPE;
    SPI_CR1 = CR1_SSI | CR1_SPE | CR1_CSTART;
}

bool hal_spi_exchange(uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!hal_system_wait_for(&SPI_SR, SR_TXP, SR_TXP)) return false;
        SPI_TXDR = bytes[i];
        if (!hal_system_wait_for(&SPI_SR, SR_RXP, SR_RXP)) return false;
        bytes[i] = SPI_RXDR;
    }
    return true;
}
