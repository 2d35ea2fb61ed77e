/* OV5640, five megapixels (data sheet 2.03). Columns and lines are read by twos; the processor reduces what remains to
 * 320 x 240. Only documented registers are written: the maker's hints on the analog part, in registers that it does not
 * explain, are not among them. With autofocus the lens stays where it rests, at infinity. */
#include "sensor.h"

enum {
    SYSTEM_RESET02 = 0x3002,
    CLOCK_ENABLE02 = 0x3006,
    SYSTEM_CTROL0 = 0x3008,
    CHIP_ID_HIGH = 0x300A,
    CHIP_ID_LOW = 0x300B,
    MIPI_CONTROL00 = 0x300E,
    PAD_OUTPUT_ENABLE01 = 0x3017,
    PAD_OUTPUT_ENABLE02 = 0x3018,
    PLL_CONTROL0 = 0x3034,
    PLL_CONTROL1 = 0x3035,
    PLL_CONTROL2 = 0x3036,
    PLL_CONTROL3 = 0x3037,
    SCCB_SYSTEM_CTRL1 = 0x3103,
    SYSTEM_ROOT_DIVIDER = 0x3108,
    TIMING_X_START = 0x3801, /* lower bytes; the higher ones are 0 after the reset, or as for all pixels */
    TIMING_Y_START = 0x3803,
    TIMING_X_END = 0x3805,
    TIMING_Y_END = 0x3807,
    TIMING_DVPHO_HIGH = 0x3808,
    TIMING_DVPHO_LOW = 0x3809,
    TIMING_DVPVO_HIGH = 0x380A,
    TIMING_DVPVO_LOW = 0x380B,
    TIMING_HTS_HIGH = 0x380C,
    TIMING_HTS_LOW = 0x380D,
    TIMING_VTS_HIGH = 0x380E,
    TIMING_VTS_LOW = 0x380F,
    TIMING_X_OFFSET = 0x3811,
    TIMING_Y_OFFSET = 0x3813,
    TIMING_X_INC = 0x3814,
    TIMING_Y_INC = 0x3815,
    TIMING_TC_REG20 = 0x3820,
    TIMING_TC_REG21 = 0x3821,
    FORMAT_CONTROL00 = 0x4300,
    POLARITY_CTRL00 = 0x4740,
    ISP_CONTROL00 = 0x5000,
    ISP_CONTROL01 = 0x5001,
    FORMAT_MUX_CONTROL = 0x501F,
};

static const hal_sensor_register settings[] = {
    {SYSTEM_CTROL0, 0x42},     /* asleep while it is set up */
    {SCCB_SYSTEM_CTRL1, 0x03}, /* its clock comes from the PLL */
    {PLL_CONTROL0, 0x18},      /* 8 bits a pixel: the PLL's clock by 2 */
    {PLL_CONTROL2, 48},        /* 24 times the clock from outside, with the next: 576 MHz of 24 */
    {PLL_CONTROL3, 0x12},      /* which was halved before, and is halved behind */
    {SYSTEM_ROOT_DIVIDER,
     0x01},                 /* the sensor's clock: half of that; the port's: all of it, two bytes a pixel */
    {SYSTEM_RESET02, 0x1C}, /* no JPEG: its parts stay in reset */
    {CLOCK_ENABLE02, 0xC3}, /* and without a clock */
    {MIPI_CONTROL00, 0x18}, /* the parallel port, the serial one without power */
    {PAD_OUTPUT_ENABLE01, 0x7F}, /* VSYNC, HREF, the clock and four data pins are driven */
    {PAD_OUTPUT_ENABLE02, 0xFC}, /* and the six others */
    {POLARITY_CTRL00, 0x22},     /* HREF high in lines, data taken with the rising edge; VSYNC is high at 0 */
    {TIMING_X_START, 8},         /* of 2624 x 1964 pixels those from 8, 2 */
    {TIMING_Y_START, 2},
    {TIMING_X_END, 0x37}, /* to 2615, 1953: 0x0A and 0x07 stand before */
    {TIMING_Y_END, 0xA1},
    {TIMING_X_OFFSET, 4}, /* without 4 and 2 at the edges of a half: 1296 x 972 */
    {TIMING_Y_OFFSET, 2},
    {TIMING_X_INC, 0x31},      /* columns by twos: 1 and then 3 on */
    {TIMING_Y_INC, 0x31},      /* lines as well */
    {TIMING_TC_REG20, 0x41},   /* and added up, not left out; not upside down */
    {TIMING_TC_REG21, 0x01},   /* nor mirrored */
    {TIMING_DVPHO_HIGH, 0x01}, /* out go 320 */
    {TIMING_DVPHO_LOW, 0x40},
    {TIMING_DVPVO_HIGH, 0x00}, /* by 240 */
    {TIMING_DVPVO_LOW, 0xF0},
    {TIMING_HTS_HIGH, 0x07}, /* a line lasts 1896 clocks */
    {TIMING_HTS_LOW, 0x68},
    {TIMING_VTS_HIGH, 0x03}, /* a picture 984 lines: half of what there are, and a pause */
    {TIMING_VTS_LOW, 0xD8},
    {FORMAT_CONTROL00, 0x61},   /* RGB565, the more significant byte first */
    {FORMAT_MUX_CONTROL, 0x01}, /* of the processor's RGB */
    {ISP_CONTROL00, 0xA7},      /* lens, gamma, colours and defective pixels corrected */
    {ISP_CONTROL01, 0xA3},      /* reduced; white balance by itself */
    {SYSTEM_CTROL0, 0x02},      /* awake */
};

const hal_sensor hal_sensor_ov5640 = {
    .name = "OV5640",
    .i2c = 0x3C,
    .address_bytes = 2,
    .bank = (const hal_sensor_register *)0,
    .identity = {{CHIP_ID_HIGH, 0x56}, {CHIP_ID_LOW, 0x40}},
    .reset = {SYSTEM_CTROL0, 0x82},
    .settings = settings,
    .n_settings = sizeof settings / sizeof settings[0],
    .pace = PLL_CONTROL1,
    .n_paces = 3,
    /* The PLL's clock by 4, 8, and 16, which is coded as 0: of 24 MHz, 10, 5 and 2 pictures a second, 36 MHz at the port. */
    .paces = {0x41, 0x81, 0x01},
};
