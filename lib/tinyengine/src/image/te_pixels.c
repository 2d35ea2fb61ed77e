/* The formats of pixels: each narrows a line, and picks some of its pixels. */
#include "te_narrow.h"
#include "te_weights.h"

typedef struct rgb {
    uint32_t r, g, b;
} rgb;

/* Pixel x of a line. */
typedef rgb (*color_reader)(const uint8_t *line, uint32_t x);

/* Where the values of outputs go: into a row, or, weighted, into the sums of two rows. */
typedef struct sink {
    uint8_t *value;
    te_two *sum;
    uint32_t near, next;
} sink;

TE_INLINE sink sink_of(const te_narrowing *to) {
    return (sink){to->values, to->sums, to->near, to->next};
}

TE_INLINE void put(sink *to, uint32_t total, int add) {
    const uint32_t value = total >> WEIGHT_BITS;
    if (add) {
        const te_two sum = *to->sum;
        *to->sum++ = (te_two){sum.near + to->near * value, sum.next + to->next * value};
    } else {
        *to->value++ = (uint8_t)value;
    }
}

/* Every column is part of one output and of the one behind it: two sums per channel are in the making. */
TE_INLINE void narrow_colors(const te_narrowing *narrowing, const uint8_t *line, uint32_t x,
                             color_reader read, uint32_t shift, int add) {
    const te_two *weight = narrowing->weights;
    const uint16_t *count = narrowing->counts, *const behind = count + narrowing->outputs;
    sink to = sink_of(narrowing);
    uint32_t r = WEIGHT_HALF, g = WEIGHT_HALF, b = WEIGHT_HALF;
    while (count < behind) {
        uint32_t next_r = WEIGHT_HALF, next_g = WEIGHT_HALF, next_b = WEIGHT_HALF;
        for (const te_two *const end = weight + *count++; weight < end; x++) {
            const te_two w = {weight->near >> shift, weight->next >> shift};
            const rgb pixel = read(line, x);
            r += pixel.r * w.near, g += pixel.g * w.near, b += pixel.b * w.near;
            next_r += pixel.r * w.next, next_g += pixel.g * w.next, next_b += pixel.b * w.next;
            weight++;
        }
        put(&to, r, add), put(&to, g, add), put(&to, b, add);
        r = next_r, g = next_g, b = next_b;
    }
}

TE_INLINE void narrow_grays(const te_narrowing *narrowing, const uint8_t *pixel, uint32_t step, int add) {
    const te_two *weight = narrowing->weights;
    const uint16_t *count = narrowing->counts, *const behind = count + narrowing->outputs;
    sink to = sink_of(narrowing);
    uint32_t sum = WEIGHT_HALF;
    while (count < behind) {
        uint32_t next = WEIGHT_HALF;
        const te_two *const end = weight + *count++;
        for (; weight < end; weight++, pixel += step)
            sum += *pixel * weight->near, next += *pixel * weight->next;
        put(&to, sum, add);
        sum = next;
    }
}

TE_INLINE void pick_colors(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values,
                           color_reader read) {
    for (uint32_t k = 0; k < count; k++, values += 3) {
        const rgb pixel = read(line, columns[k]);
        values[0] = (uint8_t)pixel.r, values[1] = (uint8_t)pixel.g, values[2] = (uint8_t)pixel.b;
    }
}

#define COLORS(name, read, bytes_, group_, shift_, add)                                                      \
    static void name##_narrow(const te_narrowing *to, const uint8_t *line, uint32_t first) {                 \
        if (to->values)                                                                                      \
            narrow_colors(to, line, first, read, shift_, 0);                                                 \
        else                                                                                                 \
            add;                                                                                             \
    }                                                                                                        \
    static void name##_pick(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) { \
        pick_colors(line, columns, count, values, read);                                                     \
    }                                                                                                        \
    const te_pixels name = {3, bytes_, group_, shift_, name##_narrow, name##_pick};

#define GRAYS(name, bytes_, group_, offset, add)                                                             \
    static void name##_narrow(const te_narrowing *to, const uint8_t *line, uint32_t first) {                 \
        const uint8_t *pixel = line + first * (bytes_) + (offset);                                           \
        if (to->values)                                                                                      \
            narrow_grays(to, pixel, bytes_, 0);                                                              \
        else                                                                                                 \
            add;                                                                                             \
    }                                                                                                        \
    static void name##_pick(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values) { \
        for (uint32_t k = 0; k < count; k++) values[k] = line[columns[k] * (bytes_) + (offset)];             \
    }                                                                                                        \
    const te_pixels name = {1, bytes_, group_, 0, name##_narrow, name##_pick};

/* The highest bits of 5 and 6 once more as the lowest of 8. */
TE_INLINE rgb expanded(uint32_t pixel) {
    const uint32_t r = pixel >> 11, g = pixel >> 5 & 63, b = pixel & 31;
    return (rgb){r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2};
}

TE_INLINE rgb read_565le(const uint8_t *line, uint32_t x) {
    return expanded(line[2 * x] | (uint32_t)line[2 * x + 1] << 8);
}

TE_INLINE rgb read_565be(const uint8_t *line, uint32_t x) {
    return expanded((uint32_t)line[2 * x] << 8 | line[2 * x + 1]);
}

TE_INLINE rgb read_888(const uint8_t *line, uint32_t x) {
    return (rgb){line[3 * x], line[3 * x + 1], line[3 * x + 2]};
}

TE_INLINE uint32_t clipped(int32_t value) {
    return (uint32_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* JPEG's conversion with factors of 16 bits. Right shifts round down. */
TE_INLINE rgb color_of(int32_t y, int32_t u, int32_t v) {
    u -= 128, v -= 128;
    return (rgb){
        clipped(y + ((91881 * v + 32768) >> 16)),
        clipped(y + ((-22554 * u - 46802 * v + 32768) >> 16)),
        clipped(y + ((116130 * u + 32768) >> 16)),
    };
}

TE_INLINE rgb read_yuyv(const uint8_t *line, uint32_t x) {
    const uint8_t *pair = line + x / 2 * 4;
    return color_of(line[2 * x], pair[1], pair[3]);
}

TE_INLINE rgb read_uyvy(const uint8_t *line, uint32_t x) {
    const uint8_t *pair = line + x / 2 * 4;
    return color_of(line[2 * x + 1], pair[0], pair[2]);
}

#if TE_DSP
#define ASSEMBLY_SHIFT 9 /* products of 16 and 32 bits come without their lowest 16 */
COLORS(te_rgb565le, read_565le, 2, 1, ASSEMBLY_SHIFT, te_narrow_rgb565le(to, line + 2 * first))
COLORS(te_rgb565be, read_565be, 2, 1, ASSEMBLY_SHIFT, te_narrow_rgb565be(to, line + 2 * first))
COLORS(te_rgb888, read_888, 3, 1, 0, te_narrow_rgb888(to, line + 3 * first))
COLORS(te_yuyv, read_yuyv, 2, 2, ASSEMBLY_SHIFT, te_narrow_yuyv(to, line + 2 * first, first % 2))
COLORS(te_uyvy, read_uyvy, 2, 2, ASSEMBLY_SHIFT, te_narrow_uyvy(to, line + 2 * first, first % 2))
GRAYS(te_gray8, 1, 1, 0, te_narrow_grays(to, pixel))
GRAYS(te_yuyv_gray, 2, 2, 0, te_narrow_other_grays(to, pixel))
GRAYS(te_uyvy_gray, 2, 2, 1, te_narrow_other_grays(to, pixel))
#else
COLORS(te_rgb565le, read_565le, 2, 1, 0, narrow_colors(to, line, first, read_565le, 0, 1))
COLORS(te_rgb565be, read_565be, 2, 1, 0, narrow_colors(to, line, first, read_565be, 0, 1))
COLORS(te_rgb888, read_888, 3, 1, 0, narrow_colors(to, line, first, read_888, 0, 1))
COLORS(te_yuyv, read_yuyv, 2, 2, 0, narrow_colors(to, line, first, read_yuyv, 0, 1))
COLORS(te_uyvy, read_uyvy, 2, 2, 0, narrow_colors(to, line, first, read_uyvy, 0, 1))
GRAYS(te_gray8, 1, 1, 0, narrow_grays(to, pixel, 1, 1))
GRAYS(te_yuyv_gray, 2, 2, 0, narrow_grays(to, pixel, 2, 1))
GRAYS(te_uyvy_gray, 2, 2, 1, narrow_grays(to, pixel, 2, 1))
#endif
