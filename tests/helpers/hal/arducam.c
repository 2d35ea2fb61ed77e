/* hal/arducam against a model of the module, access by access: the chip with its registers and memory behind the SPI, the
 * OV2640 behind the I2C. Plays the scenario that the argument names; prints what the driver says, and of a picture a sum
 * that depends on each byte and its place. Ends with status 1 and a sentence at an access that means nothing. */
#include "arducam/arducam.h"
#include "camera.h"
#include "common/i2c.h"
#include "common/spi.h"
#include "hal.h"

#include "board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICTURE 153600u

const te_pixels te_rgb565be;

static struct {
    uint32_t extra;    /* bytes that the chip counts, and keeps, beyond the picture */
    int32_t missing;   /* bytes that the picture lacks */
    uint32_t busy;     /* reads of the trigger until a picture is there */
    int32_t spi_dies;  /* transfers until the unit stands still; negative: never */
    int32_t refuses;   /* bytes that the sensor acknowledges; negative: all */
    uint8_t identity;  /* of the sensor, low byte */
    bool absent, deaf; /* no chip at all; no sensor behind it */
} world = {.spi_dies = -1, .refuses = -1, .identity = 0x42};

static void fail(const char *what) {
    printf("%s\n", what);
    exit(1);
}

/* ---- The chip ---- */

static struct {
    bool connected, selected;
    uint32_t at;     /* byte of this selection */
    uint8_t command; /* its first */
    uint8_t test, control_seen, system;
    bool done, resetting, was_reset;
    uint32_t waiting, read, pictures;
} chip;

static uint8_t pixel_byte(uint32_t picture, uint32_t index) {
    return (uint8_t)(index * 31u + (index >> 8) * 7u + picture * 101u);
}

void hal_arducam_connect(void) {
    chip.connected = true;
    chip.selected = false;
}

void hal_arducam_select(bool on) {
    if (!chip.connected) fail("selected before the buses are connected");
    if (on == chip.selected) fail(on ? "selected twice" : "released twice");
    chip.selected = on;
    chip.at = 0;
}

static void control(uint8_t value) {
    if (value & 0x01u) chip.done = false;
    if (value & 0x30u) chip.read = 0;
    if (value & 0x02u) {
        if (chip.done) fail("a picture is started while the flag of the one before is set");
        if (chip.read) fail("a picture is started and the memory's pointer is somewhere");
        chip.waiting = world.busy;
        chip.pictures++;
    }
    chip.control_seen |= value;
}

static void write_register(uint8_t address, uint8_t value) {
    if (address == 0x00u)
        chip.test = value;
    else if (address == 0x01u && value)
        fail("more than one picture at once");
    else if (address == 0x04u)
        control(value);
    else if (address == 0x07u) {
        if (chip.resetting && !(value & 0x80u)) chip.was_reset = true;
        chip.resetting = value & 0x80u;
    } else if (address != 0x01u)
        fail("a register that the guide does not name is written");
}

static uint8_t read_register(uint8_t address) {
    const uint32_t size = PICTURE + world.extra - (uint32_t)world.missing;
    switch (address) {
    case 0x00:
        return chip.test;
    case 0x41:
        if ((chip.control_seen & 0x02u) && !chip.done && chip.waiting-- == 0) chip.done = true;
        return chip.done ? 0x08u : 0x01u;
    case 0x42:
        return (uint8_t)size;
    case 0x43:
        return (uint8_t)(size >> 8);
    case 0x44:
        return (uint8_t)(0x80u | size >> 16); /* the highest bit means nothing */
    default:
        fail("a register that the guide does not name is read");
        return 0;
    }
}

static uint8_t burst(void) {
    if (!chip.done) fail("the memory is read before a picture is in it");
    if (chip.at <= BOARD_CAMERA_IDLE_BYTES) return 0xEEu;
    if (chip.read >= PICTURE + world.extra) fail("read beyond the picture");
    return pixel_byte(chip.pictures, chip.read++);
}

static uint8_t transmit(uint8_t out) {
    uint8_t in = 0;
    if (chip.at == 0) {
        chip.command = out;
    } else if (chip.command & 0x80u) {
        if (chip.at > 1) fail("a write of several bytes");
        write_register(chip.command & 0x7Fu, out);
    } else {
        in = chip.command == 0x3Cu ? burst() : read_register(chip.command);
    }
    chip.at++;
    return in;
}

bool hal_spi_exchange(uint8_t *bytes, uint32_t count) {
    if (!chip.selected) fail("bytes for nobody");
    if (world.spi_dies == 0) return false;
    if (world.spi_dies > 0) world.spi_dies--;
    for (uint32_t i = 0; i < count; i++) bytes[i] = world.absent ? 0xFFu : transmit(bytes[i]);
    return true;
}

/* ---- The sensor ---- */

static uint8_t bank, pointed_at;
static uint8_t sensor[2][256];
static uint32_t resets;

static bool acknowledges(void) {
    if (world.refuses == 0) return false;
    if (world.refuses > 0) world.refuses--;
    return true;
}

bool hal_i2c_write(uint8_t address, const uint8_t *bytes, uint32_t count) {
    if (address != 0x30u || world.deaf || world.absent) return false;
    if (!chip.was_reset) fail("the sensor is set up before the chip has been reset");
    for (uint32_t i = 0; i < count; i++) {
        if (!acknowledges()) return false;
    }
    pointed_at = bytes[0];
    if (count < 2) return true;
    if (bytes[0] == 0xFFu)
        bank = bytes[1] & 1u;
    else
        sensor[bank][bytes[0]] = bytes[1];
    if (bank == 1 && bytes[0] == 0x12u && (bytes[1] & 0x80u)) resets++;
    return true;
}

bool hal_i2c_read(uint8_t address, uint8_t *byte) {
    if (address != 0x30u || !acknowledges()) return false;
    *byte = bank == 1 && pointed_at == 0x0A   ? 0x26u
            : bank == 1 && pointed_at == 0x0B ? world.identity
                                              : sensor[bank][pointed_at];
    return true;
}

/* ---- Time ---- */

static uint32_t now;

uint32_t hal_millis(void) {
    return now;
}
void hal_wait(void) {
    now++;
}

/* ---- What a firmware does ---- */

static uint32_t rows, sum;

static void take(void *context, uint32_t row, const uint8_t *line) {
    (void)context;
    if (row != rows++) fail("a line out of turn");
    for (uint32_t k = 0; k < 640u; k++) sum = sum * 16777619u ^ line[k];
}

static uint32_t expected(void) {
    uint32_t s = 0;
    for (uint32_t k = 0; k < PICTURE; k++) s = s * 16777619u ^ pixel_byte(chip.pictures, k);
    return s;
}

static int capture(void) {
    rows = sum = 0;
    const hal_camera_status status = hal_camera_capture(take, NULL);
    if (chip.selected) fail("still selected");
    if (status == HAL_CAMERA_OK && (rows != 240u || sum != expected()))
        fail("another picture than the chip's");
    return (int)status;
}

int main(int argc, char **argv) {
    const char *scenario = argc > 1 ? argv[1] : "";
    const long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    hal_camera_picture picture = {0};
    if (!strcmp(scenario, "stopped")) {
        printf("%d\n", capture());
        return 0;
    }
    world.absent = !strcmp(scenario, "absent");
    world.deaf = !strcmp(scenario, "deaf");
    if (!strcmp(scenario, "identity")) world.identity = (uint8_t)number;
    if (!strcmp(scenario, "refuses")) world.refuses = (int32_t)number;
    if (!strcmp(scenario, "bus")) world.spi_dies = (int32_t)number;
    world.busy = 40;
    const int start = (int)hal_camera_start(&picture);
    printf("%d", start);
    if (start == HAL_CAMERA_OK) {
        if (picture.width != 320 || picture.height != 240 || picture.pixels != &te_rgb565be) fail("no QVGA");
        if (resets != 1 || (sensor[0][0xDA] & 0x0Cu) != 0x08u || sensor[0][0x5A] != 80 ||
            sensor[0][0x5B] != 60)
            fail("the sensor does not make 320 x 240 pixels of RGB565");
        if (!strcmp(scenario, "never")) world.busy = 1000000u;
        if (!strcmp(scenario, "more")) world.extra = (uint32_t)number;
        if (!strcmp(scenario, "less")) world.missing = (int32_t)number;
        if (!strcmp(scenario, "capture bus")) world.spi_dies = (int32_t)number;
        printf(" %d", capture());
        world.busy = 3, world.missing = 0, world.extra = 8, world.spi_dies = -1;
        printf(" %d", capture());
    } else {
        printf(" %d", capture());
    }
    printf(" %s %u ms\n", hal_camera_name(), (unsigned)now);
    return 0;
}
