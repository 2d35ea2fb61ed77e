/* hal_init of an STM32 board against a model of its clock tree, power, pins, host port and watchdog: RM0090, RM0383, RM0390,
 * RM0386 (F4), RM0385, RM0410 (F7), RM0433 (H7), RM0432 (L4+), RM0456 (U5). The numbers here are the manuals', not those
 * of the drivers.
 *
 * -DMAX_BAUD is the description's highest rate. hal_init runs once as all goes well, and once for each thing that may not become ready. Ends with status 1 and a
 * sentence at the first access that a manual forbids, or if what remains is not what it should be.
 */
#include "registers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <string>
#include <vector>

#include "common/system.h"
#include "common/uart.h"
#include "hal.h"

#include "board.h"

static std::string doing;

[[noreturn]] static void fail(const std::string &what) {
    printf("%s (%s)\n", what.c_str(), doing.c_str());
    exit(1);
}

static void check(bool right, const char *what) {
    if (!right) fail(what);
}

static void between(uint64_t value, uint64_t least, uint64_t most, const char *what) {
    if (value < least || value > most) fail(std::string(what) + ": " + std::to_string(value));
}

/* ---- The chip ---- */

static std::map<uint32_t, uint32_t> registers;
static uint32_t barriers, tick_hz, caches, interrupt;
static bool interrupt_on;

/* Something that takes a while: when the field `mask` of `control` is `on`, `bit` of `status` comes after some reads. */
struct Awaited {
    const char *name;
    uint32_t control, mask, on, status, bits;
    uint32_t reads;
    bool fails;
};
static std::vector<Awaited> awaited;

static bool ready(const char *name) {
    for (const Awaited &one : awaited) {
        if (!strcmp(one.name, name))
            return !one.fails && (registers[one.control] & one.mask) == one.on && one.reads >= 3;
    }
    return false;
}

static void await(const char *name, uint32_t control, uint32_t mask, uint32_t on, uint32_t status,
                  uint32_t bits) {
    awaited.push_back({name, control, mask, on, status, bits, 0, false});
}
static void oscillator(const char *name, uint32_t on, uint32_t bit) {
    await(name, RCC_CR.address, BIT(on), BIT(on), RCC_CR.address, BIT(bit));
}

[[maybe_unused]] static uint32_t
power(uint32_t code) { /* prescalers: below 4 (APB) or 8 (AHB) they do not divide */
    return 1u << code;
}
[[maybe_unused]] static uint32_t apb(uint32_t code) {
    return code < 4u ? 1u : power(code - 3u);
}

/* ---- Families: reset, rules at the moment when the PLL takes over, clock of the buses ---- */

#if defined STM32F4_FAMILY_H || defined STM32F7_FAMILY_H
static const uint32_t RESET_HZ = 16000000u, SWITCH = RCC_CFGR.address, SW = 2u, SWS = 2u << 2;
static const uint32_t PWR_CR_AT = 0x40007000u, PWR_CSR_AT = 0x40007004u, ACR_AT = 0x40023C00u;
#if defined STM32F7_FAMILY_H
static const uint32_t CORE_LIMIT = 216000000u, WITHOUT_OVERDRIVE = 180000000u;
#elif defined BOARD_CHIP_STM32F411
static const uint32_t CORE_LIMIT = 100000000u, WITHOUT_OVERDRIVE = 100000000u;
#else
static const uint32_t CORE_LIMIT = 180000000u, WITHOUT_OVERDRIVE = 168000000u;
#endif
/* 42 MHz of 168, 50 of 100, 45 of 180, 54 of 216; twice that on APB2 */
static const uint32_t APB1_LIMIT = CORE_LIMIT == 100000000u ? 50000000u : CORE_LIMIT / 4u,
                      APB2_LIMIT = 2u * APB1_LIMIT;

static void reset() {
    registers[RCC_CR.address] = 0x83u;
    registers[RCC_PLLCFGR.address] = 0x24003010u;
    registers[PWR_CR_AT] = CORE_LIMIT == 100000000u ? 0x8000u : 0xC000u;
    if (BOARD_HSE_HZ) oscillator("external clock", 16, 17);
    oscillator("PLL", 24, 25);
    if (BOARD_CORE_HZ > WITHOUT_OVERDRIVE) {
        await("over-drive", PWR_CR_AT, BIT(16), BIT(16), PWR_CSR_AT, BIT(16));
        await("over-drive switch", PWR_CR_AT, BIT(17), BIT(17), PWR_CSR_AT, BIT(17));
    }
    await("wait states", 0, 0, 0, ACR_AT, 0);
    await("switch", SWITCH, 3u, SW, SWITCH, SWS);
}

static void wrote(uint32_t address, uint32_t value, uint32_t before) {
    if (address >= PWR_CR_AT && address <= PWR_CSR_AT)
        check(registers[RCC_APB1ENR.address] & BIT(28), "power control without its clock");
    if (address == PWR_CR_AT && value & ~before & BIT(17))
        check(ready("over-drive"), "over-drive switched too early");
    if (address == RCC_CR.address && value & BIT(16) && BOARD_HSE_BYPASS)
        check(before & BIT(18), "bypass after the oscillator is on");
    if (address == RCC_PLLCFGR.address)
        check(!(registers[RCC_CR.address] & BIT(24)), "the PLL is on already");
}

static void check_switch() {
    const uint32_t pll = registers[RCC_PLLCFGR.address], cfgr = registers[RCC_CFGR.address],
                   acr = registers[ACR_AT];
    check(ready("PLL"), "the PLL is not ready");
    const bool external = pll & BIT(22);
    if (external) check(ready("external clock"), "the external clock is not ready");
    const uint64_t input = (external ? BOARD_HSE_HZ : 16000000u) / (pll & 63u),
                   vco = input * (pll >> 6 & 511u);
    between(input, 950000u, 2100000u, "input of the PLL");
    between(vco, 100000000u, 432000000u, "oscillator of the PLL");
    const uint64_t core = vco / (2u * (pll >> 16 & 3u) + 2u);
    check(core == BOARD_CORE_HZ && core <= CORE_LIMIT, "clock of the core");
    check(pll & BIT(29), "a reserved bit, or a divider of zero");
    between(vco / (pll >> 24 & 15u), 1u, 48000000u + 500000u, "48 MHz");
    check((acr & 15u) >= (core - 1u) / 30000000u, "wait states");
    check(acr & BIT(8) && acr & BIT(9), "prefetch and accelerator");
    check((registers[PWR_CR_AT] & BIT(14)), "voltage scale 1");
    if (CORE_LIMIT != 180000000u || core > 168000000u)
        check(registers[PWR_CR_AT] & BIT(15), "voltage scale 1");
    if (core > WITHOUT_OVERDRIVE) check(ready("over-drive switch"), "over-drive");
    between(core / apb(cfgr >> 10 & 7u), 1u, APB1_LIMIT, "APB1");
    between(core / apb(cfgr >> 13 & 7u), 1u, APB2_LIMIT, "APB2");
}

static uint32_t uart_hz(uint32_t core) {
    const bool second = BOARD_UART(ENABLE).address == RCC_APB2ENR.address;
    return core / apb(registers[RCC_CFGR.address] >> (second ? 13 : 10) & 7u);
}
static void check_end(bool full) {
    check(!full || STM32_OVERDRIVE == (BOARD_CORE_HZ > WITHOUT_OVERDRIVE), "over-drive");
#if defined STM32F7_FAMILY_H
    check(caches == 1, "caches");
#else
    check(caches == 0 && (!full || registers[ACR_AT] & BIT(10)), "data cache of the flash interface");
#endif
}

#elif defined STM32H7_FAMILY_H
static const uint32_t RESET_HZ = 64000000u, SWITCH = RCC_CFGR.address, SW = 3u, SWS = 3u << 3;
static const uint32_t CSR1_AT = 0x58024804u, CR3_AT = 0x5802480Cu, D3CR_AT = 0x58024818u,
                      ACR_AT = 0x52002000u;

static void reset() {
    registers[RCC_CR.address] = 0x25u;
    registers[CR3_AT] = 0x46u;
    registers[D3CR_AT] = 0x4000u;
    await("supply", CR3_AT, 7u, 2u, CSR1_AT, BIT(13));
    await("voltage", D3CR_AT, 3u << 14, 3u << 14, D3CR_AT, BIT(13));
    oscillator("external clock", 16, 17);
    oscillator("PLL", 24, 25);
    await("wait states", 0, 0, 0, ACR_AT, 0);
    await("switch", SWITCH, 7u, SW, SWITCH, SWS);
}

static void wrote(uint32_t address, uint32_t value, uint32_t before) {
    if (address == D3CR_AT && value != before) check(ready("supply"), "voltage before the supply");
    if (address == RCC_CR.address && value & BIT(16) && BOARD_HSE_BYPASS)
        check(before & BIT(18), "bypass after the oscillator is on");
    if (address == RCC_PLLCFGR.address || address == RCC_PLL1DIVR.address || address == RCC_PLLCKSELR.address)
        check(!(registers[RCC_CR.address] & BIT(24)), "the PLL is on already");
}

static void check_switch() {
    const uint32_t from = registers[RCC_PLLCKSELR.address], cfg = registers[RCC_PLLCFGR.address],
                   div = registers[RCC_PLL1DIVR.address], acr = registers[ACR_AT];
    check(ready("PLL") && ready("voltage"), "the PLL or the voltage is not ready");
    check((from & 3u) == 2u || (from & 3u) == 0u, "source of the PLL");
    const bool external = (from & 3u) == 2u;
    if (external) check(ready("external clock"), "the external clock is not ready");
    const uint64_t input = (external ? BOARD_HSE_HZ : 64000000u) / (from >> 4 & 63u);
    between(input, 2000000u, 4000000u, "input of the PLL");
    check((cfg >> 2 & 3u) == 1u && !(cfg & BIT(1)), "ranges of the PLL");
    const uint64_t vco = input * ((div & 511u) + 1u), core = vco / ((div >> 9 & 127u) + 1u);
    between(vco, 192000000u, 836000000u, "oscillator of the PLL");
    check(cfg & BIT(16) && core == BOARD_CORE_HZ && core <= 400000000u, "clock of the core");
    const uint32_t d1 = registers[RCC_D1CFGR.address], d2 = registers[RCC_D2CFGR.address];
    check((d1 & 15u) == 8u && (d1 >> 8 & 15u) < 8u, "200 MHz for the buses");
    check(apb(d1 >> 4 & 7u) >= 2u && apb(d2 >> 4 & 7u) >= 2u && apb(d2 >> 8 & 7u) >= 2u &&
              apb(registers[RCC_D3CFGR.address] >> 4 & 7u) >= 2u,
          "100 MHz for the peripherals");
    check((acr & 15u) >= 2u && (acr >> 4 & 3u) >= 2u, "wait states");
}

static uint32_t uart_hz(uint32_t core) {
    const bool second = BOARD_UART(ENABLE).address == RCC_APB2ENR.address;
    const uint32_t hpre = registers[RCC_D1CFGR.address] & 15u;
    return core / (hpre < 8u ? 1u : power(hpre - 7u)) /
           apb(registers[RCC_D2CFGR.address] >> (second ? 8 : 4) & 7u);
}
static void check_end(bool) {
    check(caches == 1, "caches");
    check((registers[CR3_AT] & 7u) == 2u, "the LDO feeds the core");
}

#elif defined STM32L4_FAMILY_H
static const uint32_t RESET_HZ = 4000000u, SWITCH = RCC_CFGR.address, SW = 3u, SWS = 3u << 2;
static const uint32_t CR2_AT = 0x40007004u, CR5_AT = 0x40007080u, ACR_AT = 0x40022000u;

static void reset() {
    registers[RCC_CR.address] = 0x63u;
    registers[CR5_AT] = 0x100u;
    registers[ACR_AT] = 0x600u;
    if (BOARD_HSE_HZ) oscillator("external clock", 16, 17);
    oscillator("16 MHz", 8, 10);
    oscillator("PLL", 24, 25);
    await("wait states", 0, 0, 0, ACR_AT, 0);
    await("switch", SWITCH, 3u, SW, SWITCH, SWS);
}

static void wrote(uint32_t address, uint32_t value, uint32_t) {
    if (address >= 0x40007000u && address < 0x40007400u)
        check(registers[RCC_APB1ENR1.address] & BIT(28), "power control without its clock");
    if (address == RCC_PLLCFGR.address)
        check(!(registers[RCC_CR.address] & BIT(24)), "the PLL is on already");
    if (address == SWITCH && ready("switch") && !(value >> 4 & 15u))
        check(barriers >= BOARD_CORE_HZ / 1000000u, "half the clock for less than a microsecond");
}

static void check_switch() {
    const uint32_t pll = registers[RCC_PLLCFGR.address];
    check(ready("PLL"), "the PLL is not ready");
    const bool external = (pll & 3u) == 3u;
    check(external ? ready("external clock") : (pll & 3u) == 2u && ready("16 MHz"), "source of the PLL");
    const uint64_t input = (external ? BOARD_HSE_HZ : 16000000u) / ((pll >> 4 & 15u) + 1u);
    between(input, 2660000u, 16000000u, "input of the PLL");
    const uint64_t vco = input * (pll >> 8 & 127u), core = vco / (2u * (pll >> 25 & 3u) + 2u);
    between(vco, 64000000u, 344000000u, "oscillator of the PLL");
    check(pll & BIT(24) && core == BOARD_CORE_HZ && core <= 120000000u, "clock of the core");
    check((registers[ACR_AT] & 15u) >= (core - 1u) / 20000000u, "wait states");
    check(!(registers[CR5_AT] & BIT(8)), "boost mode");
    if ((registers[SWITCH] >> 4 & 15u) != 8u) check(barriers > 0, "to full speed at once");
    barriers = 0;
}

static uint32_t uart_hz(uint32_t core) {
    check(!(registers[SWITCH] >> 4 & 0x3Fu << 4), "a bus that is divided");
    return core;
}
static void check_end(bool full) {
    check(!full || (registers[ACR_AT] & 0x700u) == 0x700u, "prefetch and caches");
    if (BOARD_UART_TX_PORT == GPIOG) check(registers[CR2_AT] & BIT(9), "supply of port G");
}

#elif defined STM32U5_FAMILY_H
static const uint32_t RESET_HZ = 4000000u, SWITCH = RCC_CFGR1.address, SW = 3u, SWS = 3u << 2;
static const uint32_t VOSR_AT = 0x4602080Cu, ACR_AT = 0x40022000u;

static void reset() {
    registers[RCC_CR.address] = 0x35u;
    await("voltage", VOSR_AT, 3u << 16, 3u << 16, VOSR_AT, BIT(15));
    if (BOARD_HSE_HZ) oscillator("external clock", 16, 17);
    oscillator("16 MHz", 8, 10);
    await("booster", VOSR_AT, BIT(18), BIT(18), VOSR_AT, BIT(14));
    oscillator("PLL", 24, 25);
    await("wait states", 0, 0, 0, ACR_AT, 0);
    await("switch", SWITCH, 3u, SW, SWITCH, SWS);
}

static void wrote(uint32_t address, uint32_t value, uint32_t before) {
    if (address >= 0x46020800u && address < 0x46020C00u)
        check(registers[RCC_AHB3ENR.address] & BIT(2), "power control without its clock");
    if (address == VOSR_AT && value & ~before & BIT(18))
        check(ready("voltage") && registers[RCC_PLL1CFGR.address] & 3u, "booster without its clock");
    if (address == RCC_PLL1CFGR.address || address == RCC_PLL1DIVR.address)
        check(!(registers[RCC_CR.address] & BIT(24)), "the PLL is on already");
    if (address == RCC_CFGR2.address && !value && (registers[SWITCH] & 3u) == SW)
        check(barriers >= BOARD_CORE_HZ / 1000000u, "half the clock for less than a microsecond");
}

static void check_switch() {
    const uint32_t cfg = registers[RCC_PLL1CFGR.address], div = registers[RCC_PLL1DIVR.address];
    check(ready("PLL") && ready("voltage") && ready("booster"),
          "the PLL, the voltage or the booster is not ready");
    const bool external = (cfg & 3u) == 3u;
    check(external ? ready("external clock") : (cfg & 3u) == 2u && ready("16 MHz"), "source of the PLL");
    const uint64_t source = external ? BOARD_HSE_HZ : 16000000u, input = source / ((cfg >> 8 & 15u) + 1u);
    between(input, 4000000u, 16000000u, "input of the PLL");
    check((cfg >> 2 & 3u) == (input >= 8000000u ? 3u : 0u), "range of the PLL's input");
    check(!(cfg >> 12 & 15u), "prescaler of the booster");
    between(source, 4000000u, 16000000u, "input of the booster");
    const uint64_t vco = input * ((div & 511u) + 1u), core = vco / ((div >> 24 & 127u) + 1u);
    between(vco, 128000000u, 544000000u, "oscillator of the PLL");
    check(cfg & BIT(18) && core == BOARD_CORE_HZ && core <= 160000000u, "clock of the core");
    check((registers[ACR_AT] & 15u) >= (core - 1u) / 32000000u, "wait states");
    check((registers[RCC_CFGR2.address] & 15u) == 8u, "to full speed at once");
    barriers = 0;
}

static uint32_t uart_hz(uint32_t core) {
    check(!registers[RCC_CFGR2.address], "a bus that is divided");
    return core;
}
static void check_end(bool full) {
    check(registers[0x40030400u] & 1u, "instruction cache");
    check(!full || registers[ACR_AT] & BIT(8), "prefetch");
}
#endif

/* ---- Accesses ---- */

static const uint32_t UART = BOARD_UART(BASE);
static std::vector<uint32_t> keys; /* written to the watchdog */

uint32_t model_read(uint32_t address) {
    uint32_t value = registers[address];
    if (address == SWITCH) value &= ~(SW == 3u && SWS == 3u << 3 ? 7u << 3 : 3u << 2);
    for (Awaited &one : awaited) {
        if (one.status != address) continue;
        if (!strcmp(one.name, "wait states")) {
            if (one.fails) value &= ~15u;
        } else if ((registers[one.control] & one.mask) != one.on) {
            value &= ~one.bits;
        } else {
            one.reads++;
            value = one.fails || one.reads < 3 ? value & ~one.bits : value | one.bits;
        }
    }
    return value;
}

void model_write(uint32_t address, uint32_t value) {
    const uint32_t before = registers[address];
    if (address == IWDG_BASE) keys.push_back(value);
#ifdef STM32_UART_FIFO
    const uint32_t brr = UART + 0x0Cu, cr1 = UART;
    if (address == brr) check(!(registers[cr1] & 1u), "the divider of a port that is on");
    if (address == UART + 0x20u) registers[UART + 0x1Cu] &= ~value;
#endif
    registers[address] = value;
    wrote(address, value, before);
    if (address == SWITCH && (value & SW) == SW && (before & 7u & ~4u) != SW) check_switch();
}

void model_barrier() {
    barriers++;
}

void model_interrupt(uint32_t number, bool enabled) {
    interrupt = number;
    interrupt_on = enabled;
}

bool hal_system_wait_for(Register reg, uint32_t mask, uint32_t value) {
    for (uint32_t tries = 0; tries < 100u; tries++) {
        if ((reg & mask) == value) return true;
    }
    return false;
}

void hal_system_tick_start(uint32_t core_hz) {
    tick_hz = core_hz;
}

void hal_cache_enable() {
    caches++;
}

/* ---- The tests ---- */

#ifdef STM32_UART_FIFO
static const uint32_t BRR = UART + 0x0Cu, CR1 = UART, STATUS = UART + 0x1Cu, DATA_IN = UART + 0x24u,
                      DATA_OUT = UART + 0x28u, UE = BIT(0);
#else
static const uint32_t BRR = UART + 0x08u, CR1 = UART + 0x0Cu, STATUS = UART, DATA_IN = UART + 4u,
                      DATA_OUT = UART + 4u, UE = BIT(13);
#endif

static void check_baud(uint32_t core, uint32_t wanted) {
    const uint64_t clock = uart_hz(core) * (BOARD_UART(IRQ) == 70 ? 256ull : 1ull),
                   actual = clock / registers[BRR];
    between(actual, wanted * 98ull / 100u, wanted * 102ull / 100u, "baud rate");
}

static void check_pin(uint32_t port, uint32_t pin, uint32_t function) {
    check((registers[port] >> 2u * pin & 3u) == 2u, "mode of a pin");
    check((registers[port + (pin < 8u ? 0x20u : 0x24u)] >> 4u * (pin % 8u) & 15u) == function,
          "function of a pin");
    check(registers[GPIO_ENABLE.address] & BIT((port - GPIOA) / 0x400u), "clock of a port");
}

static void check_watchdog() {
    if (!BOARD_WATCHDOG_SECONDS) {
        check(keys.empty(), "a watchdog that nobody asked for");
        return;
    }
    check(keys == std::vector<uint32_t>({0xCCCCu, 0x5555u, 0xAAAAu}), "order of the watchdog's keys");
    check(registers[IWDG_BASE + 4u] == 6u && registers[IWDG_BASE + 8u] == BOARD_WATCHDOG_SECONDS * 125u - 1u,
          "seconds of the watchdog");
    hal_watchdog_feed();
    check(keys.back() == 0xAAAAu && keys.size() == 4, "feeding the watchdog");
}

static void start(const char *failing) {
    doing = failing ? failing : "all goes well";
    registers.clear();
    awaited.clear();
    keys.clear();
    barriers = tick_hz = caches = 0;
    reset();
    for (Awaited &one : awaited) one.fails = failing && !strcmp(one.name, failing);
    hal_init();
    /* Each of the two oscillators takes the other's place, where there are both. */
    const bool full =
        !failing || !strcmp(failing, "external clock") || (BOARD_HSE_HZ && !strcmp(failing, "16 MHz"));
    const uint32_t core = full ? BOARD_CORE_HZ : RESET_HZ;
    check(((model_read(SWITCH) & SWS) == SWS) == full, "what clocks the core");
    check(tick_hz == core && hal_count_rate() == core, "the clock that it believes to have");
    check(registers[0xE0001000u] & 1u && registers[0xE000EDFCu] & BIT(24), "cycle counter");
    check_end(full);
    check(BOARD_UART(ENABLE) & BIT(BOARD_UART(ENABLE_BIT)), "clock of the port");
    check((registers[CR1] & UE) && interrupt == BOARD_UART(IRQ) && interrupt_on, "the port");
    check_baud(core, 115200u);
    check_pin(BOARD_UART_TX_PORT, BOARD_UART_TX_PIN, BOARD_UART_FUNCTION);
    check_pin(BOARD_UART_RX_PORT, BOARD_UART_RX_PIN, BOARD_UART_FUNCTION);
#if BOARD_HAS_LED
    const uint32_t level = registers[BOARD_LED_PORT + 0x18u];
    check(level == BIT(BOARD_LED_PIN + (BOARD_LED_LIT ? 0u : 16u)), "level of the lamp");
    check((registers[BOARD_LED_PORT] >> 2u * BOARD_LED_PIN & 3u) == 1u, "the lamp's pin");
#endif
    check_watchdog();
}

/* Received bytes and overruns; rates. */
static void port() {
    doing = "the port";
    uint8_t byte = 0;
    registers[STATUS] = 0;
    check(!hal_uart_take(&byte), "a byte that is not there");
    registers[STATUS] = BIT(5);
    registers[DATA_IN] = 0xA5u;
    check(hal_uart_take(&byte) && byte == 0xA5u && hal_uart_overruns() == 0, "a byte");
    registers[STATUS] = BIT(3) | BIT(5);
    check(hal_uart_take(&byte) && hal_uart_overruns() == 1 && hal_uart_overruns() == 0, "an overrun");
#ifdef STM32_UART_FIFO
    check(!(registers[STATUS] & BIT(3)), "an overrun that would come again for ever");
#endif
    registers[STATUS] = BIT(3);
    check(!hal_uart_take(&byte) && hal_uart_overruns() == 1, "an overrun without a byte");
    registers[STATUS] = BIT(6) | BIT(7);
    for (uint32_t baud : {921600u, MAX_BAUD, 57600u}) {
        check(hal_uart_set_baud(baud), "a rate");
        check_baud(BOARD_CORE_HZ, baud);
    }
    const uint32_t before = registers[BRR];
    for (uint32_t baud : {0u, 3u, 200000000u}) check(!hal_uart_set_baud(baud), "a rate that cannot be");
    check(registers[BRR] == before, "a refused rate that changes something");
    check(hal_uart_send('x') && registers[DATA_OUT] == 'x', "a byte that is sent");
    registers[STATUS] = 0; /* nothing leaves: it does not hang */
    check(!hal_uart_send('y') && registers[DATA_OUT] == 'x', "a byte for which there is no room");
}

int main() {
    start(NULL);
    port();
    std::vector<const char *> names;
    for (const Awaited &one : awaited) names.push_back(one.name);
    for (const char *name : names) start(name);
    printf("failures %u\n", (unsigned)names.size());
    return 0;
}
