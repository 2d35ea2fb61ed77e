/* Firmware for tests of the HAL on a simulated board:
 * one-letter commands, numbers as 32-bit little endian. */
#include "flash.h"
#include "hal.h"
#include "storage.h"

static void get(uint8_t *data, uint32_t length) {
    while (length) {
        const size_t n = hal_serial_read(data, length);
        data += n;
        length -= (uint32_t)n;
        if (!n) hal_wait();
    }
}

static uint32_t get_number(void) {
    uint8_t b[4];
    get(b, 4);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void put_number(uint32_t value) {
    const uint8_t b[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                          (uint8_t)(value >> 24)};
    hal_serial_write(b, 4);
}

static void put_text(const char *text) {
    uint32_t length = 0;
    while (text[length]) length++;
    put_number(length);
    hal_serial_write((const uint8_t *)text, length);
}

/* n rounds of two instructions: subtract, branch. */
static __attribute__((noinline)) void spin(uint32_t n) {
    __asm volatile(".p2align 2\n1: subs %0, %0, #1\n bne 1b" : "+r"(n) : : "cc");
}

static __attribute__((noinline)) void use_stack(uint32_t bytes) {
    uint8_t room[bytes];
    for (uint32_t i = 0; i < bytes; i++) ((volatile uint8_t *)room)[i] = 1;
}

static __attribute__((noinline)) uint32_t recurse(uint32_t depth) {
    volatile uint32_t room[64] = {depth};
    return depth ? recurse(depth - 1u) + room[0] : room[0];
}

static uint8_t buffer[1024];

/* ---- Flash ---- */

#define LAYOUT "0011223344556677"
#define STATE_BYTES 60001u
static uint8_t state[STATE_BYTES];

static void put_info(storage_status status, const storage_info *info) {
    put_number(status);
    put_number(info->generation);
    put_number(info->steps);
    put_number(info->slot);
}

static void save(uint32_t seed) {
    storage_info info = {0};
    uint32_t x = seed;
    for (uint32_t i = 0; i < sizeof state; i++) {
        x = x * 1664525u + 1013904223u;
        state[i] = (uint8_t)(x >> 24);
    }
    const storage_status status =
        fw_storage_save(hal_flash_open(), LAYOUT, "fedcba9876543210", state, sizeof state, NULL, seed, &info);
    put_info(status, &info);
}

static void load(void) {
    storage_info info = {0};
    for (uint32_t i = 0; i < sizeof state; i++) state[i] = 0;
    const storage_status status = fw_storage_load(hal_flash_open(), LAYOUT, state, sizeof state, NULL, &info);
    put_info(status, &info);
    hal_serial_write(state, sizeof state);
}

/* Programs n bytes of a value at an offset from the first slot; the driver's answer. */
static uint32_t program(uint32_t offset, uint32_t bytes, uint32_t value) {
    const hal_flash *flash = hal_flash_open();
    for (uint32_t i = 0; i < sizeof buffer; i++) buffer[i] = (uint8_t)value;
    return flash->program(flash->slots[0] + offset, buffer, bytes < sizeof buffer ? bytes : sizeof buffer);
}

int main(void) {
    hal_init();
    for (;;) {
        uint8_t letter;
        get(&letter, 1);
        if (letter == 'e') { /* echo n bytes, as they come */
            for (uint32_t left = get_number(); left;) {
                const size_t n = hal_serial_read(buffer, left < sizeof buffer ? left : sizeof buffer);
                hal_serial_write(buffer, n);
                left -= (uint32_t)n;
                if (!n) hal_wait();
            }
        } else if (letter ==
                   's') { /* take n bytes, with n2 spins after each read of at most 256; their sum */
            uint32_t left = get_number(), sum = 0;
            const uint32_t spins = get_number();
            while (left) {
                const size_t n = hal_serial_read(buffer, left < 256u ? left : 256u);
                for (size_t i = 0; i < n; i++) sum = sum * 31u + buffer[i];
                left -= (uint32_t)n;
                if (n && spins) spin(spins);
                if (!n) hal_wait();
            }
            put_number(sum);
            put_number(hal_serial_lost());
        } else if (letter == 't') { /* send n bytes */
            for (uint32_t n = get_number(), i = 0; i < n; i++) {
                const uint8_t b = (uint8_t)(i * 7u);
                hal_serial_write(&b, 1);
            }
        } else if (letter == 'c') { /* counts of n spins */
            const uint32_t n = get_number(), before = hal_count();
            spin(n);
            put_number(hal_count() - before);
        } else if (letter == 'i') { /* who and what */
            put_text(hal_board());
            put_text(hal_count_unit());
            put_number(hal_count_rate());
            put_number(hal_stack_size());
        } else if (letter == 'k') { /* use n bytes of stack; most used */
            const uint32_t n = get_number();
            if (n) use_stack(n);
            put_number(hal_stack_used());
        } else if (letter == 'm') {
            put_number(hal_millis());
        } else if (letter == 'b') {
            put_number(hal_serial_set_baud(get_number()));
        } else if (letter == 'r') {
            hal_reset();
        } else if (letter == 'f') { /* undefined instruction */
            __asm volatile("udf #0");
        } else if (letter == 'S') { /* save the state of this seed */
            save(get_number());
        } else if (letter == 'L') { /* load */
            load();
        } else if (letter == 'C') { /* clear */
            put_number(fw_storage_clear(hal_flash_open()));
        } else if (letter == 'P') {
            const uint32_t offset = get_number(), bytes = get_number();
            put_number(program(offset, bytes, get_number()));
        } else if (letter == 'E') { /* erase the sector at an offset from the first slot */
            const hal_flash *flash = hal_flash_open();
            put_number(flash->erase_sector(flash->slots[0] + get_number()));
        } else if (letter == 'o') {
            put_number(recurse(get_number()));
        }
    }
}
