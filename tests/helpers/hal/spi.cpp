/* common/spi.h of an STM32H7 against a model of the unit (RM0433 50), whose other end answers each byte with its
 * complement. Prints the bus's rate, then what came back; ends with status 1 at an access that the manual forbids. The
 * argument: after how many bytes the unit stands still. */
#include "registers.h"

#include "common/spi.h"

#include "board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t UNIT = 0x40013400u, CLOCK_HZ = 100000000u;
static uint32_t cr1, cr2, cfg1, cfg2;
static uint8_t received[32];
static uint32_t waiting, sent;
static long stops_after = -1;

static void check(bool right, const char *what) {
    if (right) return;
    printf("%s\n", what);
    exit(1);
}

static bool running() {
    return (cr1 & BIT(0)) && (cr1 & BIT(9));
}

uint32_t model_read(uint32_t address) {
    switch (address - UNIT) {
    case 0x00:
        return cr1;
    case 0x14:
        return (waiting ? BIT(0) : 0u) | (running() && waiting < 16u ? BIT(1) : 0u);
    case 0x30:
        check(waiting > 0, "read where nothing has come");
        return received[--waiting];
    default:
        check(false, "a register that is of no use here");
        return 0;
    }
}

void model_write(uint32_t address, uint32_t value) {
    const bool on = cr1 & BIT(0);
    switch (address - UNIT) {
    case 0x00:
        check(!(value & BIT(9)) || (cr1 & BIT(0)), "started before it is on");
        cr1 = value;
        break;
    case 0x04:
        check(!on, "set up while it is on");
        cr2 = value;
        break;
    case 0x08:
        check(!on, "set up while it is on");
        cfg1 = value;
        break;
    case 0x0C:
        check(!on, "set up while it is on");
        cfg2 = value;
        break;
    case 0x20:
        check(running(), "sent while it is off");
        check((cfg1 & 0x1Fu) == 7u && value < 256u, "not a byte");
        if (stops_after >= 0 && (long)sent >= stops_after) return;
        sent++;
        received[waiting++] = (uint8_t)~value;
        break;
    default:
        check(false, "a register that is of no use here");
    }
}

void model_barrier() {}
void model_interrupt(uint32_t, bool) {}

bool hal_system_wait_for(Register reg, uint32_t mask, uint32_t value) {
    for (int tries = 0; tries < 10; tries++)
        if ((reg & mask) == value) return true;
    return false;
}

int main(int argc, char **argv) {
    if (argc > 1) stops_after = strtol(argv[1], NULL, 10);
    hal_spi_start(CLOCK_HZ, 8000000u);
    check(cr2 == 0, "the bytes are counted");
    check((cfg2 & (BIT(22) | BIT(26))) == (BIT(22) | BIT(26)) && (cr1 & BIT(12)), "not the master by itself");
    check(!(cfg2 & (3u << 24 | 3u << 17 | BIT(23))), "not mode 0 in both directions, highest bit first");
    printf("%u", CLOCK_HZ >> ((cfg1 >> 28) + 1u));
    uint8_t bytes[] = {0x00, 0x55, 0xFF, 0x3C};
    const bool done = hal_spi_exchange(bytes, sizeof bytes);
    if (!done)
        printf(" stands still");
    else
        for (uint8_t byte : bytes) printf(" %02x", byte);
    printf("\n");
    return 0;
}
