/* The formats of pixels: what their sums of columns mean, and how some pixels of a line are picked. */
#include "te_lines.h"
#include "te_weights.h"

#define SUM_BITS (LINE_BITS + COLUMN_BITS)

#if TE_DSP
#define BY_ASSEMBLY(name) name
#else
#define BY_ASSEMBLY(name) NULL
#endif

/* The sum of a byte of a line. */
TE_INLINE uint32_t sum_of(const uint32_t *sums, uint32_t byte) {
    return sums[byte / 4 * 4 + byte % 2] >> (byte & 2) * 8 & 0xFFFF;
}

TE_INLINE uint8_t value_of(uint32_t total) {
    return (uint8_t)((total + (1u << (SUM_BITS - 1))) >> SUM_BITS);
}

/* ---- RGB565 ---- */

TE_INLINE void pick_565(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values,
                        uint32_t high) {
    for (uint32_t k = 0; k < count; k++) {
        const uint8_t *two = line + 2 * columns[k];
        const uint32_t pixel = (uint32_t)two[high] << 8 | two[1 - high];
        *values++ = (uint8_t)(((pixel >> 11) * SCALE_5 + 512) >> 10);
        *values++ = (uint8_t)(((pixel >> 5 & 63) * SCALE_6 + 512) >> 10);
        *values++ = (uint8_t)(((pixel & 31) * SCALE_5 + 512) >> 10);
    }
}

static void pick_565le(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) {
    pick_565(line, columns, count, values, 1);
}

static void pick_565be(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) {
    pick_565(line, columns, count, values, 0);
}

static void column_565(const uint32_t *sums, uint32_t x, uint32_t *numbers) {
    sums += x / 2 * 6;
    const uint32_t two[3] = {sums[0], sums[1], sums[2] - (sums[0] << 11) - (sums[1] << 5)};
    for (uint32_t c = 0; c < 3; c++) numbers[c] = two[c] >> x % 2 * 16 & 0xFFFF;
}

static void finish_565(const uint32_t *totals, uint8_t *values) {
    for (uint32_t c = 0; c < 3; c++) {
        const uint64_t scaled = (uint64_t)totals[c] * (c == 1 ? SCALE_6 : SCALE_5);
        values[c] = (uint8_t)((scaled + 0x80000000u) >> 32);
    }
}

const te_pixels te_rgb565le = {
    3,
    2,
    1,
    2,
    3,
    te_add_rgb565le,
    te_begin_rgb565le,
    BY_ASSEMBLY(te_narrow_rgb565),
    column_565,
    finish_565,
    pick_565le,
};
const te_pixels te_rgb565be = {
    3,
    2,
    1,
    2,
    3,
    te_add_rgb565be,
    te_begin_rgb565be,
    BY_ASSEMBLY(te_narrow_rgb565),
    column_565,
    finish_565,
    pick_565be,
};

/* ---- RGB888 ---- */

static void pick_888(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) {
    for (uint32_t k = 0; k < count; k++, values += 3) {
        const uint8_t *pixel = line + 3 * columns[k];
        values[0] = pixel[0], values[1] = pixel[1], values[2] = pixel[2];
    }
}

static void column_888(const uint32_t *sums, uint32_t x, uint32_t *numbers) {
    for (uint32_t c = 0; c < 3; c++) numbers[c] = sum_of(sums, 3 * x + c);
}

static void finish_888(const uint32_t *totals, uint8_t *values) {
    for (uint32_t c = 0; c < 3; c++) values[c] = value_of(totals[c]);
}

const te_pixels te_rgb888 = {
    3,          3,          1,        4, 2, te_add_bytes, te_begin_bytes, BY_ASSEMBLY(te_narrow_rgb888),
    column_888, finish_888, pick_888,
};

/* ---- YUV 4:2:2 ---- */

TE_INLINE int32_t clipped(int32_t value) {
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

/* JPEG's conversion with factors of 16 bits. Right shifts round down. */
TE_INLINE void convert(int32_t y, int32_t u, int32_t v, uint8_t *values) {
    u -= 128, v -= 128;
    const int32_t red = clipped(y + ((91881 * v + 32768) >> 16));
    const int32_t green = clipped(y + ((-22554 * u - 46802 * v + 32768) >> 16));
    const int32_t blue = clipped(y + ((116130 * u + 32768) >> 16));
    values[0] = (uint8_t)red, values[1] = (uint8_t)green, values[2] = (uint8_t)blue;
}

/* `luma`: where the first one lies among the four bytes of two pixels. */
TE_INLINE void pick_yuv(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values,
                        uint32_t luma) {
    for (uint32_t k = 0; k < count; k++, values += 3) {
        const uint8_t *colors = line + columns[k] / 2 * 4 + (1 - luma);
        convert(line[2 * columns[k] + luma], colors[0], colors[2], values);
    }
}

TE_INLINE void column_yuv(const uint32_t *sums, uint32_t x, uint32_t *numbers, uint32_t luma) {
    numbers[0] = sum_of(sums, 2 * x + luma);
    numbers[1] = sum_of(sums, x / 2 * 4 + 1 - luma);
    numbers[2] = sum_of(sums, x / 2 * 4 + 3 - luma);
}

static void pick_yuyv(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) {
    pick_yuv(line, columns, count, values, 0);
}

static void pick_uyvy(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) {
    pick_yuv(line, columns, count, values, 1);
}

static void column_yuyv(const uint32_t *sums, uint32_t x, uint32_t *numbers) {
    column_yuv(sums, x, numbers, 0);
}

static void column_uyvy(const uint32_t *sums, uint32_t x, uint32_t *numbers) {
    column_yuv(sums, x, numbers, 1);
}

static void finish_yuv(const uint32_t *totals, uint8_t *values) {
    convert(value_of(totals[0]), value_of(totals[1]), value_of(totals[2]), values);
}

const te_pixels te_yuyv = {
    3,           2,          2,         2, 2, te_add_bytes, te_begin_bytes, BY_ASSEMBLY(te_narrow_yuyv),
    column_yuyv, finish_yuv, pick_yuyv,
};
const te_pixels te_uyvy = {
    3,           2,          2,         2, 2, te_add_bytes, te_begin_bytes, BY_ASSEMBLY(te_narrow_uyvy),
    column_uyvy, finish_yuv, pick_uyvy,
};

/* ---- Gray ---- */

static void finish_gray(const uint32_t *totals, uint8_t *values) {
    values[0] = value_of(totals[0]);
}

#define GRAYS(name, bytes, group, block, offset, narrow)                                                     \
    static void name##_pick(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) { \
        for (uint32_t k = 0; k < count; k++) values[k] = line[columns[k] * (bytes) + (offset)];              \
    }                                                                                                        \
    static void name##_column(const uint32_t *sums, uint32_t x, uint32_t *numbers) {                         \
        numbers[0] = sum_of(sums, x * (bytes) + (offset));                                                   \
    }                                                                                                        \
    const te_pixels name = {1,      bytes,         group,       block,      2, te_add_bytes, te_begin_bytes, \
                            narrow, name##_column, finish_gray, name##_pick};

GRAYS(te_gray8, 1, 1, 4, 0, BY_ASSEMBLY(te_narrow_gray8))
GRAYS(te_yuyv_gray, 2, 2, 2, 0, BY_ASSEMBLY(te_narrow_yuyv_gray))
GRAYS(te_uyvy_gray, 2, 2, 2, 1, BY_ASSEMBLY(te_narrow_uyvy_gray))
