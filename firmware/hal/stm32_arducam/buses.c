/* An ArduCAM Mini at two buses of an STM32. */
#include "../arducam/arducam.h"
#include "../common/cortex_m.h"
#include "../common/i2c.h"
#include "../common/spi.h"
#include "../hal.h"
#include "../stm32/gpio.h"

#include "board.h"

#define SPI_HZ 8000000u /* more the module does not take */

void hal_arducam_select(bool on) {
    GPIO_BSRR(BOARD_CAMERA_SELECT_PORT) = BIT(BOARD_CAMERA_SELECT_PIN + (on ? 16u : 0u));
}

static void take_i2c_pin(uint32_t port, uint32_t pin) {
    GPIO_ENABLE |= GPIO_CLOCK(port);
    (void)GPIO_ENABLE;
    gpio_open_drain(port, pin);
    gpio_alternate(port, pin, BOARD_CAMERA_I2C_FUNCTION);
}

void hal_arducam_connect(void) {
    static const struct { uint32_t port, pin; } spi[] = {BOARD_CAMERA_PINS};
    const bool full_speed = hal_count_rate() == BOARD_CORE_HZ;
    BOARD_CAMERA_SPI(ENABLE) |= BIT(BOARD_CAMERA_SPI(ENABLE_BIT));
    BOARD_CAMERA_I2C(ENABLE) |= BIT(BOARD_CAMERA_I2C(ENABLE_BIT));
    (void)BOARD_CAMERA_I2C(ENABLE); /* two bus cycles until the blocks listen */
    GPIO_ENABLE |= GPIO_CLOCK(BOARD_CAMERA_SELECT_PORT);
    (void)GPIO_ENABLE;
    gpio_output(BOARD_CAMERA_SELECT_PORT, BOARD_CAMERA_SELECT_PIN, 1);
    for (uint32_t i = 0; i < sizeof spi / sizeof spi[0]; i++) {
        GPIO_ENABLE |= GPIO_CLOCK(spi[i].port);
        (void)GPIO_ENABLE;
        gpio_alternate(spi[i].port, spi[i].pin, BOARD_CAMERA_FUNCTION);
    }
    take_i2c_pin(BOARD_CAMERA_SCL_PORT, BOARD_CAMERA_SCL_PIN);
    take_i2c_pin(BOARD_CAMERA_SDA_PORT, BOARD_CAMERA_SDA_PIN);
    hal_spi_start(full_speed ? BOARD_CAMERA_SPI(CLOCK_HZ) : hal_count_rate(), SPI_HZ);
    hal_i2c_start(full_speed ? BOARD_CAMERA_I2C(CLOCK_HZ) : hal_count_rate());
}
