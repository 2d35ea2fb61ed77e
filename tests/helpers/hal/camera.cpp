/* hal/camera.h of an STM32 board with a parallel camera, against a model of its I2C unit, sensor, timer, camera interface
 * and DMA stream: RM0090 (F4), RM0385, RM0410 (F7), RM0433 (H7), and the sensors' data sheets. The numbers here are the
 * manuals', not those of the drivers.
 *
 * Time passes when the driver waits and when the taker of lines takes its time. Ends with status 1 and a sentence at the
 * first access that a manual forbids, or if what comes out is not what it should be.
 */
#include "registers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "camera.h"
#include "common/startup.h"
#include "common/system.h"
#include "hal.h"

#include "board.h"

extern "C" const te_pixels te_rgb565be = {};

static std::string doing;

[[noreturn]] static void fail(const std::string &what) {
    printf("%s (%s)\n", what.c_str(), doing.c_str());
    exit(1);
}

static void check(bool right, const char *what) {
    if (!right) fail(what);
}

static void check(bool right, const std::string &what) {
    if (!right) fail(what);
}

static void between(uint64_t value, uint64_t least, uint64_t most, const char *what) {
    if (value < least || value > most) fail(std::string(what) + ": " + std::to_string(value));
}

/* ---- Where things are ---- */

#if defined STM32H7_FAMILY_H
static const uint32_t DCMI = 0x48020000u, DMA2 = 0x40020400u, RCC = 0x58024400u, GPIO = 0x58020000u;
static const uint32_t GPIO_CLOCKS = RCC + 0xE0u, DCMI_CLOCK = RCC + 0xDCu, DMA_CLOCK = RCC + 0xD8u,
                      DMA_CLOCK_BIT = 1u, I2C_CLOCK = RCC + 0xE8u, TIMER_CLOCK = RCC + 0xF0u;
static const uint32_t I2C_HZ = 100000000u, TIMER_HZ = 200000000u, PORT_LIMIT_HZ = 80000000u;
#else
static const uint32_t DCMI = 0x50050000u, DMA2 = 0x40026400u, RCC = 0x40023800u, GPIO = 0x40020000u;
static const uint32_t GPIO_CLOCKS = RCC + 0x30u, DCMI_CLOCK = RCC + 0x34u, DMA_CLOCK = RCC + 0x30u,
                      DMA_CLOCK_BIT = 22u, I2C_CLOCK = RCC + 0x40u, TIMER_CLOCK = RCC + 0x44u;
static const uint32_t I2C_HZ = BOARD_CORE_HZ / 4u, TIMER_HZ = BOARD_CORE_HZ, PORT_LIMIT_HZ = 54000000u;
#endif
static const uint32_t TIMER = 0x40010000u, I2C = BOARD_CAMERA_I2C(BASE),
                      I2C_CLOCK_BIT = 21u + (I2C - 0x40005400u) / 0x400u;
static const uint32_t DCMI_CR = DCMI, DCMI_RIS = DCMI + 8u, DCMI_IER = DCMI + 0xCu, DCMI_MIS = DCMI + 0x10u,
                      DCMI_ICR = DCMI + 0x14u;
static const uint32_t LISR = DMA2, LIFCR = DMA2 + 8u, S_CR = DMA2 + 0x28u, S_NDTR = DMA2 + 0x2Cu,
                      S_PAR = DMA2 + 0x30u, S_M0AR = DMA2 + 0x34u, S_FCR = DMA2 + 0x3Cu;
static const uint32_t WIDTH = 320u, HEIGHT = 240u, WORDS = WIDTH * 2u / 4u;
static const uint32_t STEPS = 4u; /* a line takes at the fastest pace, of which 16 are a millisecond */

static std::map<uint32_t, uint32_t> registers;
static std::map<uint32_t, bool> interrupts;
static uint64_t now;
#if BOARD_CAMERA_HAS_RESET
static uint64_t reset_ended, reset_lasted;
#endif
static uint32_t core_hz;

static bool clocked(uint32_t where, uint32_t bit) {
    return registers[where] & BIT(bit);
}

/* ---- The sensor ---- */

struct Sensor {
    const char *name;
    uint32_t i2c, address_bytes, pace_at;
    bool banks;
    std::map<uint32_t, uint8_t> identity, values; /* by address, of banks with the bank times 256 */
};
static const Sensor KNOWN[] = {
    {"OV2640", 0x30, 1, 0x111, true, {{0x10A, 0x26}, {0x10B, 0x42}}, {}},
    {"OV5640", 0x3C, 2, 0x3035, false, {{0x300A, 0x56}, {0x300B, 0x40}}, {}},
    {"OV7725", 0x21, 1, 0x11, false, {{0x0A, 0x77}, {0x0B, 0x21}}, {}},
};
static Sensor sensor;
static bool connected;
static int refuse_after; /* bytes that are acknowledged still; negative: all */
static uint32_t transactions, pointed_at, resets;
static bool bus_stuck;

static uint32_t sensor_clock_hz() {
    if (!BOARD_CAMERA_HAS_TIMER) return BOARD_CAMERA_CLOCK_HZ;
    if (!(registers[TIMER] & 1u) || !(registers[TIMER + 0x44u] & BIT(15)) || !(registers[TIMER + 0x20u] & 1u))
        return 0;
    const uint32_t timer_hz = core_hz == BOARD_CORE_HZ ? TIMER_HZ : core_hz;
    check(((registers[TIMER + 0x18u] >> 4) & 7u) == 6u, "PWM mode of the sensor's clock");
    const uint32_t period = (registers[TIMER + 0x2Cu] + 1u) * (registers[TIMER + 0x28u] + 1u),
                   high = registers[TIMER + 0x34u];
    between(high * 100u / period, 30u, 70u, "duty of the sensor's clock");
    return timer_hz / period;
}

static uint32_t level(uint32_t port, uint32_t pin) {
    check((registers[port] >> 2u * pin & 3u) == 1u, "a pin that is no output");
    return registers[port + 0x14u] >> pin & 1u;
}

static bool awake() {
    if (!connected || !sensor_clock_hz()) return false;
#if BOARD_CAMERA_HAS_RESET
    if (level(BOARD_CAMERA_RESET_PORT, BOARD_CAMERA_RESET_PIN) == BOARD_CAMERA_RESET_ACTIVE) return false;
    check(now - reset_ended >= 16u * 15u, "a register is asked too soon after the reset");
    check(reset_lasted >= 16u, "the reset lasts less than a millisecond");
#endif
#if BOARD_CAMERA_HAS_POWER_DOWN
    if (level(BOARD_CAMERA_POWER_DOWN_PORT, BOARD_CAMERA_POWER_DOWN_PIN) == BOARD_CAMERA_POWER_DOWN_ACTIVE)
        return false;
#endif
    return true;
}

static bool acknowledged() {
    if (refuse_after < 0) return true;
    return refuse_after-- > 0;
}

static bool answers(uint32_t address) {
    transactions++;
    return awake() && address == sensor.i2c && acknowledged();
}

static uint32_t in_bank(uint32_t address) {
    return sensor.banks && address != 0xFFu ? sensor.values[0xFF] * 256u + address : address;
}

static void reset_sensor() {
    sensor.values.clear();
    resets++;
}

static void received(const std::vector<uint8_t> &bytes) {
    check(bytes.size() >= sensor.address_bytes, "a register's address is cut off");
    const uint32_t address = sensor.address_bytes == 1u ? bytes[0] : bytes[0] * 256u + bytes[1];
    pointed_at = in_bank(address);
    if (bytes.size() == sensor.address_bytes) return;
    check(bytes.size() == sensor.address_bytes + 1u, "more than one value");
    const uint8_t value = bytes.back();
    const bool is_reset =
        (sensor.i2c == 0x3Cu ? pointed_at == 0x3008u : (pointed_at & 0xFFu) == 0x12u) && value & 0x80u;
    if (is_reset) {
        reset_sensor();
    } else {
        sensor.values[pointed_at] = value;
    }
}

static uint8_t asked() {
    return sensor.identity.count(pointed_at) ? sensor.identity[pointed_at] : sensor.values[pointed_at];
}

/* How much slower than at the start it runs, by its registers. */
static uint32_t divider() {
    const uint32_t value = sensor.values[sensor.pace_at];
    if (sensor.i2c == 0x3Cu) return value >> 4 ? value >> 4 : 16u;
    return (value & 63u) + 1u;
}
static uint32_t first_divider;

static void check_settings() {
    std::map<uint32_t, uint8_t> &at = sensor.values;
    const uint64_t clock = sensor_clock_hz();
    uint64_t port_hz;
    if (sensor.i2c == 0x30u) {
        check(at[0x112] == 0x40u && at[0x0DA] == 0x08u && at[0x005] == 0u && at[0x0E0] == 0u,
              "mode of the OV2640");
        check(at[0x0C0] * 8u == 800u && at[0x0C1] * 8u == 600u && at[0x051] * 4u == 800u &&
                  at[0x052] * 4u == 600u,
              "what the OV2640 takes");
        check(at[0x05A] * 4u == WIDTH && at[0x05B] * 4u == HEIGHT, "size of the OV2640");
        /* the zoom makes smaller only */
        check(800u >> (at[0x050] & 7u) >= WIDTH && 600u >> (at[0x050] >> 3 & 7u) >= HEIGHT,
              "zoom of the OV2640");
        check(at[0x115] == 0u, "polarity of the OV2640");
        port_hz = clock / divider();
    } else if (sensor.i2c == 0x21u) {
        check(at[0x12] == 0x46u && at[0x29] * 4u == WIDTH && at[0x2C] * 2u == HEIGHT, "size of the OV7725");
        check(at[0x18] * 4u >= WIDTH && at[0x1A] * 2u >= HEIGHT, "window of the OV7725");
        check((at[0x15] & 0x1Au) == 0u && (at[0x0C] & 0x28u) == 0u, "polarity and order of the OV7725");
        port_hz = clock * 4u / (2u * divider());
    } else {
        check(at[0x3808] * 256u + at[0x3809] == WIDTH && at[0x380A] * 256u + at[0x380B] == HEIGHT,
              "size of the OV5640");
        check(at[0x4300] == 0x61u && at[0x501F] == 1u && at[0x4740] == 0x22u,
              "format and polarity of the OV5640");
        check(at[0x3008] == 0x02u && at[0x300E] == 0x18u, "the OV5640 sleeps");
        check((at[0x3017] & 0x7Fu) == 0x7Fu && (at[0x3018] & 0xFCu) == 0xFCu, "pins of the OV5640");
        const uint64_t input = clock / (at[0x3037] & 15u), vco = input * at[0x3036];
        between(input, 4000000u, 27000000u, "input of the OV5640's PLL");
        between(vco, 500000000u, 1000000000ull, "oscillator of the OV5640's PLL");
        const uint64_t bits =
            vco / divider() / ((at[0x3037] >> 4 & 1u) + 1u) / (at[0x3034] == 0x18u ? 2u : 1u);
        port_hz = bits >> (at[0x3108] >> 4 & 3u);
        check(port_hz >= 2u * (bits >> (at[0x3108] & 3u)), "two bytes a pixel at the OV5640's port");
    }
    between(port_hz, 500000u, PORT_LIMIT_HZ, "pixel clock");
}

/* ---- I2C ---- */

static std::vector<uint8_t> sent;
static bool reading;

#ifdef STM32_UART_FIFO /* the second kind of I2C unit comes with the second kind of UART */
static const uint32_t CR1 = I2C, CR2 = I2C + 4u, TIMINGR = I2C + 0x10u, ISR = I2C + 0x18u, ICR = I2C + 0x1Cu,
                      RXDR = I2C + 0x24u, TXDR = I2C + 0x28u;
static uint32_t expected;

static void end_transfer() {
    registers[ISR] = (registers[ISR] & ~BIT(1)) | BIT(5);
}
static void i2c_wrote(uint32_t address, uint32_t value, uint32_t before) {
    if (address == CR1 && !(value & 1u)) registers[ISR] = 0;
    if (address == TIMINGR) {
        check(!(registers[CR1] & 1u), "timing of an I2C unit that is on");
        const uint64_t tick = (core_hz == BOARD_CORE_HZ ? I2C_HZ : core_hz) / ((value >> 28) + 1u),
                       low = (value & 255u) + 1u, high = (value >> 8 & 255u) + 1u;
        between(tick / (low + high), 80000u, 111200u, "rate of the bus");
        between(low * 1000000000ull / tick, 4700u, 8000u, "ns that the clock is low");
        between(high * 1000000000ull / tick, 4000u, 7000u, "ns that the clock is high");
        between(((value >> 20 & 15u) + 1u) * 1000000000ull / tick, 1250u, 4000u, "ns of set-up");
    }
    if (address == ICR) registers[ISR] &= ~value;
    if (address == CR2 && value & BIT(13)) {
        check(registers[CR1] & 1u, "a start of a unit that is off");
        check(!(registers[ISR] & BIT(5)), "a start with the last stop still flagged");
        registers[CR2] = value & ~BIT(13);
        if (bus_stuck) return;
        reading = value & BIT(10);
        expected = value >> 16 & 255u;
        sent.clear();
        check(value & BIT(25) && expected, "nothing ends the transfer");
        if (!answers(value >> 1 & 127u)) {
            registers[ISR] |= BIT(4) | BIT(5);
        } else if (reading) {
            check(expected == 1u, "more than one byte is read");
            registers[RXDR] = asked();
            registers[ISR] |= BIT(2);
        } else {
            registers[ISR] |= BIT(1);
        }
    }
    if (address == TXDR) {
        check(registers[ISR] & BIT(1), "a byte for which there is no room");
        (void)before;
        sent.push_back((uint8_t)value);
        if (!acknowledged()) {
            registers[ISR] |= BIT(4);
            end_transfer();
        } else if (sent.size() == expected) {
            received(sent);
            end_transfer();
        }
    }
}
static void i2c_read(uint32_t address) {
    if (address == RXDR && registers[ISR] & BIT(2)) {
        registers[ISR] &= ~BIT(2);
        end_transfer();
    }
}
#else
static const uint32_t CR1 = I2C, CR2 = I2C + 4u, DR = I2C + 0x10u, SR1 = I2C + 0x14u, SR2 = I2C + 0x18u,
                      CCR = I2C + 0x1Cu, TRISE = I2C + 0x20u;
static bool addressed, status_read, stopped;

static void i2c_wrote(uint32_t address, uint32_t value, uint32_t) {
    if (address == CR1 && value & BIT(15)) {
        for (uint32_t at : {CR2, SR1, SR2, CCR, TRISE}) registers[at] = 0;
        addressed = false;
    }
    if (address == CCR || address == TRISE || address == CR2)
        check(!(registers[CR1] & 1u), "timing of an I2C unit that is on");
    if (address == CR1 && value & 1u) {
        const uint32_t clock = core_hz == BOARD_CORE_HZ ? I2C_HZ : core_hz;
        between(clock / (2u * registers[CCR]), 80000u, 100000u, "rate of the bus");
        check(registers[CR2] == clock / 1000000u && registers[TRISE] == registers[CR2] + 1u,
              "clock that the I2C unit is told");
    }
    if (address == SR1) registers[SR1] &= ~0xFF00u | value;
    if (address == CR1 && value & BIT(8)) {
        check(value & 1u, "a start of a unit that is off");
        check(!(registers[SR2] & BIT(1)), "a start while the bus is busy");
        stopped = false;
        registers[CR1] = value & ~BIT(8);
        if (bus_stuck) return;
        registers[SR1] |= BIT(0);
        registers[SR2] |= BIT(1);
        addressed = false;
        sent.clear();
    }
    if (address == CR1 && value & BIT(9)) {
        check(!stopped, "a second stop");
        stopped = true;
        registers[CR1] = value & ~BIT(9);
        if (addressed && reading) {
            registers[DR] = asked();
            registers[SR1] |= BIT(6);
        } else if (addressed && !sent.empty() && !(registers[SR1] & BIT(10))) {
            check(registers[SR1] & BIT(2), "a stop before the last byte has left");
            received(sent);
        }
        addressed = false;
        registers[SR2] &= ~BIT(1);
        registers[SR1] &= ~(BIT(2) | BIT(7));
    }
    if (address == DR && registers[SR1] & BIT(0)) { /* the device's address */
        registers[SR1] &= ~BIT(0);
        reading = value & 1u;
        addressed = answers(value >> 1 & 127u);
        registers[SR1] |= addressed ? BIT(1) : BIT(10);
        status_read = false;
    } else if (address == DR) {
        check(addressed && !reading && registers[SR1] & BIT(7), "a byte for which there is no room");
        sent.push_back((uint8_t)value);
        if (acknowledged())
            registers[SR1] |= BIT(7) | BIT(2);
        else
            registers[SR1] = (registers[SR1] & ~(BIT(7) | BIT(2))) | BIT(10);
    }
}
static void i2c_read(uint32_t address) {
    if (address == SR1) status_read = true;
    if (address == SR2 && status_read && registers[SR1] & BIT(1)) {
        registers[SR1] &= ~BIT(1);
        if (!reading) registers[SR1] |= BIT(7);
    }
    if (address == DR) registers[SR1] &= ~BIT(6);
}
#endif

/* ---- Picture, interface, DMA ---- */

struct Fault {
    uint32_t short_line = ~0u, long_line = ~0u; /* a word too few, too many */
    uint32_t bus_error = ~0u, overrun = ~0u, sync_error = ~0u, dies = ~0u, masked = ~0u; /* at this line */
    uint32_t masked_lines = 0;
    int more_lines = 0;
    bool dead = false; /* no pictures at all */
};
static Fault fault;
static uint32_t frame, line, word, wait_steps, closing_reads, forgotten;
static bool capturing, in_frame, is_masked;
static const uint32_t PAUSE_LINES = 20u, LATENCY = 4u;
static uint32_t pending;

static uint8_t pixel(uint32_t of_frame, uint32_t row, uint32_t byte) {
    return (uint8_t)((of_frame * 7919u + row * 641u + byte * 13u) >> 2 ^ byte);
}

/* The core needs the time of some words until its handler runs. */
static void interrupt_dma() {
    const uint32_t wanted =
        (registers[S_CR] & BIT(4) ? BIT(11) : 0u) | (registers[S_CR] & BIT(2) ? BIT(9) : 0u);
    if (!(registers[LISR] & wanted) || !interrupts[57] || is_masked) {
        pending = 0;
    } else if (++pending > LATENCY) {
        pending = 0;
        hal_camera_dma_interrupt_handler();
    }
}
static void interrupt_dcmi() {
    if (registers[DCMI_RIS] & registers[DCMI_IER] && interrupts[78] && !is_masked)
        hal_camera_interrupt_handler();
}

static void deliver(uint32_t value) {
    if (!(registers[DCMI_CR] & 1u)) return; /* the capture was ended */
    if (!(registers[S_CR] & 1u)) {
        registers[DCMI_RIS] |= BIT(1);
        registers[DCMI_CR] &= ~1u;
        return;
    }
    const uint32_t target = registers[S_CR] >> 19 & 1u, count = registers[S_NDTR];
    uint8_t *to = (uint8_t *)(uintptr_t)registers[S_M0AR + 4u * target];
    memcpy(to + 4u * (WORDS - count), &value, 4);
    registers[S_NDTR] = count - 1u;
    if (count == 1u) {
        registers[S_NDTR] = WORDS;
        registers[S_CR] ^= BIT(19);
        registers[LISR] |= BIT(11);
    }
}

static void deliver_word() {
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4u; i++) value |= (uint32_t)pixel(frame, line, 4u * word + i) << 8u * i;
    deliver(value);
    if (fault.long_line == line && word == 7u) deliver(value);
}

/* A quarter of a line at the fastest pace. */
static void step() {
    now++;
    interrupt_dma();
    interrupt_dcmi();
    if (!connected || fault.dead || !sensor.values.count(sensor.pace_at)) return;
    const uint32_t slower = first_divider ? divider() / first_divider : 1u;
    if (++wait_steps < slower) return;
    wait_steps = 0;
    if (!in_frame) {
        if (++word < PAUSE_LINES * STEPS) return;
        in_frame = true;
        line = word = 0;
        frame++;
        capturing = registers[DCMI_CR] & 1u; /* only from the beginning on */
        return;
    }
    if (fault.dies == line) return;
    is_masked = line >= fault.masked && line < fault.masked + fault.masked_lines;
    if (capturing) {
        if (fault.bus_error == line && word == 0) {
            registers[LISR] |= BIT(9);
            registers[S_CR] &= ~1u;
        }
        if (fault.overrun == line && word == 0) {
            registers[DCMI_RIS] |= BIT(1);
            registers[DCMI_CR] &= ~1u;
        }
        if (fault.sync_error == line && word == 0) registers[DCMI_RIS] |= BIT(2);
    }
    for (uint32_t i = 0; i < WORDS / STEPS; i++, word++) {
        if (!(fault.short_line == line && word == 7u) && capturing) deliver_word();
        interrupt_dma();
    }
    interrupt_dcmi();
    if (word < WORDS) return;
    word = 0;
    if (++line < HEIGHT + (uint32_t)fault.more_lines) return;
    in_frame = false;
    for (uint32_t i = 0; i <= LATENCY; i++)
        interrupt_dma(); /* the picture's end comes later than its last word */
    if (capturing && registers[DCMI_CR] & 1u) {
        registers[DCMI_RIS] |= BIT(0);
        registers[DCMI_CR] &= ~1u;
    }
    capturing = false;
    is_masked = false;
    interrupt_dcmi();
}

static void stream_wrote(uint32_t address, uint32_t value, uint32_t before) {
    const bool on = registers[S_CR] & 1u;
    if (address == LIFCR) registers[LISR] &= ~value;
    if (address == S_NDTR || address == S_PAR || address == S_FCR)
        check(!on, "a stream that is on is set up");
    if (on && address >= S_M0AR && address < S_FCR)
        check((address - S_M0AR) / 4u != (registers[S_CR] >> 19 & 1u),
              "the target that is being filled is moved");
    if (address != S_CR) return;
    if (before & 1u && !(value & 1u)) closing_reads = 3;
    if (before & 1u && value & 1u) check(value == before, "a stream that is on is set up");
    if (!(before & 1u) && value & 1u) {
        check(!closing_reads, "a stream is switched on before it is off");
        check(!(registers[LISR] & 0xF40u), "a stream is switched on with flags of the past");
        check(registers[S_NDTR] == WORDS && registers[S_PAR] == DCMI + 0x28u,
              "length and source of the transfers");
        check((value >> 6 & 3u) == 0u && !(value & BIT(9)) && value & BIT(10), "direction of the transfers");
        check((value >> 11 & 15u) == 10u && value & BIT(8) && value & BIT(18),
              "words, and two targets by turns");
        check(value & BIT(4) && value & BIT(2), "interrupts of the stream");
        check(registers[S_M0AR] % 32u == 0 && registers[S_M0AR + 4u] % 32u == 0,
              "lines share a line of the cache");
        check(forgotten == 1u, "the cache may still write over the lines");
#if defined STM32H7_FAMILY_H
        check((registers[0x40020824u] & 127u) == 75u, "request of the stream");
#else
        check(value >> 25 == 1u, "channel of the stream");
#endif
    }
}

static void interface_wrote(uint32_t address, uint32_t value, uint32_t before) {
    if (address == DCMI_ICR) registers[DCMI_RIS] &= ~value;
    if (address != DCMI_CR) return;
    const uint32_t set_up = ~(BIT(0) | BIT(14));
    if (before & BIT(14) && value & BIT(14))
        check((before & set_up) == (value & set_up), "an interface that is on is set up");
    if (value & ~before & BIT(14))
        check((before & set_up) == (value & set_up), "the interface is set up as it is switched on");
    if (value & ~before & 1u) {
        check(before & BIT(14), "a capture before the interface is on");
        check(registers[S_CR] & 1u, "a capture before the stream is on");
        check(value & BIT(1), "one picture, not a stream of them");
        check(value & BIT(5) && !(value & BIT(6)) && value & BIT(7) && !(value & 0xF1Cu),
              "polarity and width of the interface");
    }
    if (!(value & 1u)) capturing = false;
}

static bool within(uint32_t address, uint32_t base) {
    return address >= base && address < base + 0x400u;
}

uint32_t model_read(uint32_t address) {
    const uint32_t value = registers[address];
    if (address == DCMI_MIS) return registers[DCMI_RIS] & registers[DCMI_IER];
    if (address == S_CR && closing_reads) {
        closing_reads--;
        return value | 1u;
    }
    if (within(address, I2C)) i2c_read(address);
    return value;
}

void model_write(uint32_t address, uint32_t value) {
    const uint32_t before = registers[address];
    if (within(address, DCMI)) check(clocked(DCMI_CLOCK, 0), "the interface has no clock");
    if (within(address, DMA2)) check(clocked(DMA_CLOCK, DMA_CLOCK_BIT), "DMA2 has no clock");
    if (within(address, TIMER)) check(clocked(TIMER_CLOCK, 0), "the timer has no clock");
    if (within(address, I2C)) check(clocked(I2C_CLOCK, I2C_CLOCK_BIT), "the I2C unit has no clock");
    if (address >= GPIO && address < GPIO + 0x2C00u)
        check(clocked(GPIO_CLOCKS, (address - GPIO) / 0x400u), "a port has no clock");
    registers[address] = value;
    if (address >= GPIO && address < GPIO + 0x2C00u && address % 0x400u == 0x18u) {
        uint32_t &out = registers[address - 4u];
        out = (out | (value & 0xFFFFu)) & ~(value >> 16);
#if BOARD_CAMERA_HAS_RESET
        if (address == BOARD_CAMERA_RESET_PORT + 0x18u &&
            (value | value >> 16) & BIT(BOARD_CAMERA_RESET_PIN)) {
            reset_lasted = now - reset_ended;
            reset_ended = now;
            reset_sensor();
        }
#endif
    }
    if (within(address, I2C)) i2c_wrote(address, value, before);
    if (within(address, DMA2)) stream_wrote(address, value, before);
    if (within(address, DCMI)) interface_wrote(address, value, before);
}

void model_barrier() {}
void model_interrupt(uint32_t number, bool enabled) {
    interrupts[number] = enabled;
}

/* ---- The rest of the HAL ---- */

bool hal_system_wait_for(Register reg, uint32_t mask, uint32_t value) {
    for (uint32_t tries = 0; tries < 100u; tries++) {
        if ((reg & mask) == value) return true;
    }
    return false;
}
uint32_t hal_millis() {
    return (uint32_t)(now / 16u);
}
void hal_wait() {
    step();
}
uint32_t hal_count_rate() {
    return core_hz;
}
void hal_cache_forget(uint32_t address, uint32_t bytes) {
    check(address % 32u == 0 && bytes % 32u == 0, "forgets what others share");
    if (bytes > WORDS * 4u) check(!(registers[S_CR] & 1u), "the whole ring is forgotten while it is filled");
    if (bytes > WORDS * 4u) forgotten++;
}

/* ---- The tests ---- */

static std::vector<std::vector<uint8_t>> got;
static uint32_t taking; /* steps that the taker of a line needs */

static void take(void *context, uint32_t row, const uint8_t *pixels) {
    check(context == &got, "the context");
    check(row == got.size(), "lines in order");
    const std::vector<uint8_t> copy(pixels, pixels + WIDTH * 2u);
    for (uint32_t i = 0; i < taking; i++) step();
    check(!memcmp(copy.data(), pixels, copy.size()), "a line changes while it is taken");
    got.push_back(copy);
}

static hal_camera_status capture() {
    got.clear();
    forgotten = 0;
    const hal_camera_status status = hal_camera_capture(take, &got);
    check(!(registers[S_CR] & 1u) && !(registers[DCMI_CR] & 1u) && !registers[DCMI_IER],
          "something is left on");
    return status;
}

static void check_lines(uint32_t least) {
    check(got.size() >= least && got.size() <= HEIGHT, "number of lines");
    for (uint32_t row = 0; row < got.size(); row++) {
        for (uint32_t byte = 0; byte < WIDTH * 2u; byte++) {
            if (got[row][byte] != pixel(frame, row, byte))
                fail("pixel " + std::to_string(byte) + " of line " + std::to_string(row));
        }
    }
}

static void good_picture(const char *when) {
    doing = std::string(sensor.name) + ", " + when;
    fault = Fault();
    check(capture() == HAL_CAMERA_OK, "a picture");
    check_lines(HEIGHT);
    check(got.size() == HEIGHT, "a whole picture");
}

static void bad_picture(const char *what, const Fault &with, hal_camera_status expected) {
    good_picture("before a fault");
    doing = std::string(sensor.name) + ", " + what;
    fault = with;
    const hal_camera_status status = capture();
    check(status == expected,
          "status " + std::to_string(status) + " in place of " + std::to_string(expected));
    check(got.size() <= HEIGHT, "more lines than there are");
    fault = Fault();
}

static void power_up(const Sensor &which) {
    registers.clear();
    interrupts.clear();
    sensor = which;
    connected = true;
    refuse_after = -1;
    bus_stuck = false;
    fault = Fault();
    transactions = resets = 0;
    first_divider = 0;
    in_frame = capturing = false;
    closing_reads = word = line = taking = 0;
    core_hz = BOARD_CORE_HZ;
}

static hal_camera_status begin(hal_camera_picture *picture) {
    const hal_camera_status status = hal_camera_start(picture);
    if (status == HAL_CAMERA_OK) first_divider = divider();
    return status;
}

static void check_pins() {
    const struct { uint32_t port, pin; } pins[] = {BOARD_CAMERA_PINS};
    for (const auto &pin : pins) {
        check((registers[pin.port] >> 2u * pin.pin & 3u) == 2u, "mode of a pin");
        check((registers[pin.port + (pin.pin < 8u ? 0x20u : 0x24u)] >> 4u * (pin.pin % 8u) & 15u) == 13u,
              "function of a pin");
    }
    check(sizeof pins / sizeof pins[0] == 11u, "number of pins");
    check(registers[BOARD_CAMERA_SDA_PORT + 4u] & BIT(BOARD_CAMERA_SDA_PIN) &&
              registers[BOARD_CAMERA_SCL_PORT + 4u] & BIT(BOARD_CAMERA_SCL_PIN),
          "I2C pins drive high");
}

static void start_and_capture(const Sensor &which) {
    power_up(which);
    doing = std::string(which.name) + ", start";
    hal_camera_picture picture = {};
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    check(!strcmp(hal_camera_name(), which.name), "the name");
    check(picture.width == WIDTH && picture.height == HEIGHT && picture.pixels == &te_rgb565be,
          "what it delivers");
    check(!strcmp(picture.format, "rgb565be"), "name of the format");
    check(resets >= 1u, "the sensor is not reset");
    between(sensor_clock_hz(), 6000000u, BOARD_CAMERA_CLOCK_HZ, "clock of the sensor");
    check_settings();
    check_pins();
    for (const char *when : {"first", "second", "third"}) good_picture(when);
    taking = STEPS - 1u;
    good_picture("a taker that is just fast enough");
    taking = 0;
    doing = std::string(which.name) + ", armed in the middle of a picture";
    while (!in_frame || line < 100u) step();
    good_picture("armed in the middle of a picture");
}

static void faults(const Sensor &which) {
    power_up(which);
    hal_camera_picture picture;
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    bad_picture("a word lost", {.short_line = 50}, HAL_CAMERA_TORN);
    bad_picture("a word lost in the last line", {.short_line = HEIGHT - 1u}, HAL_CAMERA_TORN);
    bad_picture("a word too many", {.long_line = 77}, HAL_CAMERA_TORN);
    bad_picture("a word too many in the last line", {.long_line = HEIGHT - 1u}, HAL_CAMERA_TORN);
    bad_picture("a line too few", {.more_lines = -1}, HAL_CAMERA_TORN);
    bad_picture("a line too many", {.more_lines = 1}, HAL_CAMERA_TORN);
    bad_picture("wrong synchronization", {.sync_error = 30}, HAL_CAMERA_TORN);
    bad_picture("an error on the bus", {.bus_error = 3}, HAL_CAMERA_BUS);
    const uint64_t before = now;
    bad_picture("no picture", {.dead = true}, HAL_CAMERA_NO_FRAME);
    between((now - before) / 16u, 1000u, 1200u, "milliseconds until it gives up");
    bad_picture("a picture that stops", {.dies = 120}, HAL_CAMERA_NO_FRAME);
    check(got.size() == 120u, "lines before it stops");
    /* Behind an overrun the camera would be slower. */
    power_up(which);
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    bad_picture("the interface overruns", {.overrun = 200}, HAL_CAMERA_OVERRUN);
    power_up(which);
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    bad_picture("an interrupt stands for two lines", {.masked = 60, .masked_lines = 1}, HAL_CAMERA_OVERRUN);
    power_up(which);
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    bad_picture("an interrupt stands for three lines", {.masked = 60, .masked_lines = 2}, HAL_CAMERA_TORN);
    good_picture("after all that");
}

/* One that takes lines as slowly as this gets an overrun, then the camera at half its pace, until it is slow enough. */
static void slow_taker(const Sensor &which) {
    power_up(which);
    hal_camera_picture picture;
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    doing = std::string(which.name) + ", a slow taker";
    taking = 2u * STEPS - 1u;
    check(capture() == HAL_CAMERA_OVERRUN, "an overrun");
    check_lines(4);
    check(got.size() < HEIGHT, "a picture in spite of an overrun");
    check(divider() == 2u * first_divider, "half the pace");
    good_picture("a slow taker at half the pace");
    taking = 40u * STEPS;
    doing = std::string(which.name) + ", a taker that is too slow for it";
    uint32_t overruns = 0;
    hal_camera_status status;
    while ((status = capture()) == HAL_CAMERA_OVERRUN) check(++overruns <= 3u, "no end of overruns");
    check(status == HAL_CAMERA_TOO_FAST, "the way out");
    check(divider() >= 4u * first_divider, "the slowest pace");
    taking = 0;
    good_picture("at the slowest pace");
    check(begin(&picture) == HAL_CAMERA_OK && divider() == first_divider,
          "a start begins at the first pace again");
    taking = 2u * STEPS - 1u;
    refuse_after = 0; /* and now the camera does not take a new pace */
    doing = std::string(which.name) + ", no answer to the new pace";
    check(capture() == HAL_CAMERA_REFUSED && capture() == HAL_CAMERA_STOPPED, "a camera that has gone");
}

static void no_camera(const Sensor &which) {
    hal_camera_picture picture = {7, 7, nullptr, nullptr};
    power_up(which);
    doing = "nothing is connected";
    connected = false;
    check(begin(&picture) == HAL_CAMERA_SILENT, "nobody");
    check(capture() == HAL_CAMERA_STOPPED && got.empty(), "a capture without a start");
    power_up(which);
    doing = "the bus is stuck";
    bus_stuck = true;
    check(begin(&picture) == HAL_CAMERA_SILENT, "nobody");
    for (auto &entry : which.identity) {
        power_up(which);
        doing = std::string(which.name) + ", wrong identity";
        sensor.identity[entry.first] ^= 1u;
        check(begin(&picture) == HAL_CAMERA_UNKNOWN && picture.width == 7u, "somebody else");
        check(capture() == HAL_CAMERA_STOPPED, "a capture of somebody else");
    }
    /* Whichever byte is the first that is not acknowledged. */
    uint32_t silent = 0, refused = 0;
    for (int bytes = 0;; bytes++) {
        power_up(which);
        doing = std::string(which.name) + ", " + std::to_string(bytes) + " bytes acknowledged";
        refuse_after = bytes;
        const hal_camera_status status = begin(&picture);
        if (status == HAL_CAMERA_OK) break;
        check(status == (refused ? HAL_CAMERA_REFUSED : status), "silent after it had answered");
        check(status == HAL_CAMERA_SILENT || status == HAL_CAMERA_REFUSED,
              "status " + std::to_string(status));
        (status == HAL_CAMERA_SILENT ? silent : refused)++;
        check(capture() == HAL_CAMERA_STOPPED, "a capture after a start that failed");
    }
    check(silent >= 6u && refused >= 40u, "bytes that are sent");
    refuse_after = -1;
    check(begin(&picture) == HAL_CAMERA_OK, "and again, with an answer");
    good_picture("after failed starts");
}

/* The clock tree fell back to the chip's own oscillator. */
static void slow_core(const Sensor &which) {
    power_up(which);
    doing = "a slow core";
    core_hz = 16000000u;
    hal_camera_picture picture;
    check(begin(&picture) == HAL_CAMERA_OK, "the start");
    good_picture("a slow core");
}

int main() {
    doing = "before the start";
    check(capture() == HAL_CAMERA_STOPPED && got.empty(), "a capture without a start");
    uint32_t sensors = 0;
    for (const Sensor &which : KNOWN) {
        power_up(which);
        doing = std::string("is there ") + which.name;
        hal_camera_picture picture;
        if (begin(&picture) == HAL_CAMERA_SILENT) continue; /* not one of this board's */
        start_and_capture(which);
        if (!sensors++) faults(which); /* of the interface, whichever sensor is there */
        slow_taker(which);
        no_camera(which);
        slow_core(which);
    }
    printf("sensors %u\n", (unsigned)sensors);
    return 0;
}
