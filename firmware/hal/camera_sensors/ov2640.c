/* OV2640, two megapixels (data sheet 1.6). Its signal processor takes 800 x 600 from the sensor, which SVGA mode makes by
 * leaving out, halves that and zooms it to 320 x 240. Only documented registers are written: the maker's hints on noise
 * and colour, in registers that it does not explain, are not among them. */
#include "sensor.h"

enum {
    BANK = 0xFF, /* which registers the others are: 0 of the processor, 1 of the sensor */
    /* Sensor, table 13 */
    COM1 = 0x03,
    PRODUCT_HIGH = 0x0A,
    PRODUCT_LOW = 0x0B,
    CLKRC = 0x11,
    COM7 = 0x12,
    COM8 = 0x13,
    COM10 = 0x15,
    HREFST = 0x17,
    HREFEND = 0x18,
    VSTRT = 0x19,
    VEND = 0x1A,
    REG32_HREF = 0x32,
    /* Processor, table 12 */
    BYPASS = 0x05,
    CTRLI = 0x50,
    HSIZE = 0x51,
    VSIZE = 0x52,
    XOFFL = 0x53,
    YOFFL = 0x54,
    VHYX = 0x55,
    TEST = 0x57,
    ZMOW = 0x5A,
    ZMOH = 0x5B,
    ZMHH = 0x5C,
    CTRL2 = 0x86,
    SIZEL = 0x8C,
    HSIZE8 = 0xC0,
    VSIZE8 = 0xC1,
    CTRL0 = 0xC2,
    R_DVP_SP = 0xD3,
    IMAGE_MODE = 0xDA,
    RESET = 0xE0,
};

static const hal_sensor_register bank_of_sensor = {BANK, 1};

static const hal_sensor_register settings[] = {
    {BANK, 1},          {COM7, 0x40}, /* SVGA: 800 x 600, twice the rate of the whole sensor */
    {COM8, 0xE5},                     /* exposure and gain by themselves, without the stripes of lamps */
    {COM10, 0x00},      /* VSYNC high between pictures, HREF high in lines, data with the falling edge */
    {COM1, 0x0A},       /* lowest bits of the window's first and last line, of SVGA */
    {HREFST, 0x11},     /* the window of SVGA: first column, */
    {HREFEND, 0x43},    /* last, */
    {VSTRT, 0x00},      /* first line, */
    {VEND, 0x4B},       /* last, */
    {REG32_HREF, 0x09}, /* and the lowest bits of its columns */
    {BANK, 0},          {RESET, 0x04}, /* the port stands still while sizes change */
    {HSIZE8, 100},                     /* what comes from the sensor: 800 by 8 */
    {VSIZE8, 75},                      /* 600 by 8 */
    {SIZEL, 0x00},                     /* and nothing in their lowest bits */
    {CTRL2, 0x3D},                     /* reducing, colour matrix and averaged colour on */
    {CTRLI, 0x89},                     /* halves columns and lines, as 1 in each field */
    {HSIZE, 200},                      /* of that all: 800 by 4 */
    {VSIZE, 150},                      /* 600 by 4 */
    {XOFFL, 0},                        /* from the first column */
    {YOFFL, 0},                        /* and line on */
    {VHYX, 0x00},                      /* the higher bits of these four */
    {TEST, 0x00},                      /* and the highest of the width */
    {ZMOW, 80},                        /* out go 320 by 4 */
    {ZMOH, 60},                        /* 240 by 4 */
    {ZMHH, 0x00},                      /* and nothing in their higher bits */
    {CTRL0, 0x0E},                     /* the processor makes YUV and RGB */
    {R_DVP_SP, 0x04},   /* the port's clock: a quarter, so that a line lasts as long as the sensor's two */
    {IMAGE_MODE, 0x08}, /* RGB565, the more significant byte first */
    {BYPASS, 0x00},     /* the processor's picture, not the sensor's */
    {RESET, 0x00},      /* go */
};

const hal_sensor hal_sensor_ov2640 = {
    .name = "OV2640",
    .i2c = 0x30,
    .address_bytes = 1,
    .bank = &bank_of_sensor,
    .identity = {{PRODUCT_HIGH, 0x26}, {PRODUCT_LOW, 0x42}},
    .reset = {COM7, 0x80},
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .pace = CLKRC,
    .n_paces = 4,
    .paces = {1, 3, 7, 15}, /* divides by one more: of 24 MHz, 15, 7, 4 and 2 pictures a second */
};
