/* OV7725, VGA (data sheet 1.31). QVGA mode reads every other column and line. Only documented registers are written;
 * colour and noise stay as after the reset. */
#include "sensor.h"

enum {
    PRODUCT_HIGH = 0x0A,
    PRODUCT_LOW = 0x0B,
    COM3 = 0x0C,
    COM4 = 0x0D,
    CLKRC = 0x11,
    COM7 = 0x12,
    COM8 = 0x13,
    COM10 = 0x15,
    HSTART = 0x17,
    HSIZE = 0x18,
    VSTRT = 0x19,
    VSIZE = 0x1A,
    HOUTSIZE = 0x29,
    EXHCH = 0x2A,
    VOUTSIZE = 0x2C,
    HREF = 0x32,
    DSP_CTRL4 = 0x67,
    DSPAUTO = 0xAC,
};

static const hal_sensor_register settings[] = {
    {COM7, 0x46},      /* QVGA, RGB, as 565 */
    {COM3, 0x00},      /* the more significant byte first, red in it, nothing mirrored */
    {COM4, 0x41},      /* four times the clock, exposure by the whole picture */
    {COM8, 0x8F},      /* exposure, gain and white balance by themselves, fast */
    {COM10, 0x00},     /* VSYNC high between pictures, HREF high in lines, data with the falling edge */
    {HSTART, 0x3F},    /* the window of QVGA: first column, */
    {HSIZE, 0x50},     /* width by 4, */
    {VSTRT, 0x03},     /* first line, */
    {VSIZE, 0x78},     /* height by 2, */
    {HREF, 0x00},      /* and nothing in the lowest bits of these four */
    {HOUTSIZE, 0x50},  /* out go 320 by 4 */
    {VOUTSIZE, 0x78},  /* 240 by 2 */
    {EXHCH, 0x00},     /* and nothing in their lowest bits, no empty pixels */
    {DSP_CTRL4, 0x00}, /* what the processor makes, not raw */
    {DSPAUTO, 0xFF},   /* factors of the zoom follow from the sizes */
};

const hal_sensor hal_sensor_ov7725 = {
    .name = "OV7725",
    .i2c = 0x21,
    .address_bytes = 1,
    .bank = (const hal_sensor_register *)0,
    .identity = {{PRODUCT_HIGH, 0x77}, {PRODUCT_LOW, 0x21}},
    .reset = {COM7, 0x80},
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .pace = CLKRC,
    .n_paces = 4,
    /* Divides by twice one more than the lower six bits; bit 7 is reserved. Of 12 MHz, 19, 9, 5 and 2 pictures a second. */
    .paces = {0x83, 0x87, 0x8F, 0x9F},
};
