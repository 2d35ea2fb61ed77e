/* What arducam.h asks of an STM32H7 board (RM0433 8 and 11): clocks, pins and buses of the module. Prints of each pin its
 * mode, alternate function and whether it only pulls down, then the level that selects the module. Ends with status 1 at
 * an access that means nothing yet. The argument: a core that runs at that rate, not at full speed. */
#include "registers.h"

#include <stdio.h>
#include <stdlib.h>

#include <map>

#include "arducam/arducam.h"
#include "common/i2c.h"
#include "common/spi.h"
#include "hal.h"

#include "board.h"

static const uint32_t RCC = 0x58024400u, PORTS = 0x58020000u, PORT_CLOCKS = RCC + 0xE0u;
static std::map<uint32_t, uint32_t> registers;
static uint32_t core_hz = BOARD_CORE_HZ, levels, driven;

static void check(bool right, const char *what) {
    if (right) return;
    printf("%s\n", what);
    exit(1);
}

uint32_t model_read(uint32_t address) {
    return registers[address];
}

void model_write(uint32_t address, uint32_t value) {
    const uint32_t port = (address - PORTS) / 0x400u, at = (address - PORTS) % 0x400u;
    if (address >= PORTS && port < 11u) {
        check(registers[PORT_CLOCKS] & BIT(port), "a port without a clock");
        if (port == 4u && at == 0x18u) {
            levels = (levels | (value & 0xFFFFu)) & ~(value >> 16);
            driven |= (value & 0xFFFFu) | value >> 16;
        }
        if (port == 4u && at == 0u && (value >> 8 & 3u) == 1u)
            check(driven & levels & BIT(4), "the module is selected as soon as its pin is an output");
    }
    registers[address] = value;
}

void model_barrier() {}
void model_interrupt(uint32_t, bool) {}

uint32_t hal_count_rate(void) {
    return core_hz;
}

static void print_pin(uint32_t port, uint32_t pin) {
    const uint32_t base = PORTS + 0x400u * port;
    printf("P%c%u %u %u %u\n", 'A' + port, pin, registers[base] >> 2u * pin & 3u,
           registers[base + 0x20u + 4u * (pin / 8u)] >> 4u * (pin % 8u) & 15u,
           registers[base + 4u] >> pin & 1u);
}

void hal_spi_start(uint32_t clock_hz, uint32_t most_hz) {
    check(registers[RCC + 0xF0u] & BIT(13), "SPI4 without a clock");
    check(most_hz <= 8000000u, "more than the module takes");
    printf("SPI %u\n", clock_hz);
}

void hal_i2c_start(uint32_t clock_hz) {
    check(registers[RCC + 0xE8u] & BIT(21), "I2C1 without a clock");
    printf("I2C %u\n", clock_hz);
}

int main(int argc, char **argv) {
    if (argc > 1) core_hz = (uint32_t)strtoul(argv[1], NULL, 10);
    hal_arducam_connect();
    for (uint32_t pin : {2u, 4u, 5u, 6u}) print_pin(4u, pin);
    for (uint32_t pin : {8u, 9u}) print_pin(1u, pin);
    for (bool on : {true, false}) {
        hal_arducam_select(on);
        printf("%s %u\n", on ? "selected" : "left", levels >> 4 & 1u);
    }
    return 0;
}
