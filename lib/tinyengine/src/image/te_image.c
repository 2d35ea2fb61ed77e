#include "tinyengine/te_image.h"

#include "te_weights.h"

/* How an axis is resized. */
typedef enum { PICK, BLEND, NARROW } way;

static way way_of(const te_image *image, te_axis a) {
    if (image->input->nearest || a.in == a.out) return PICK;
    return a.in > a.out ? NARROW : BLEND;
}

static te_axis across(const te_image *image) {
    return (te_axis){image->source.area.width, image->input->width};
}

static te_axis down(const te_image *image) {
    return (te_axis){image->source.area.height, image->input->height};
}

/* Whether the sum of the weights stays below 2^23. */
static int is_exact(te_axis a) {
    return a.in <= a.out || a.in * (a.in / a.out + 2) < 1u << 22;
}

/* The source with its area. */
static te_image_source with_area(const te_image_input *input, const te_image_source *source) {
    te_image_source found = *source;
    if (found.area.width) return found;
    uint32_t width = source->width, height = source->height;
    if (input->center) {
        if (width * input->height > height * input->width)
            width = height * input->width / input->height;
        else
            height = width * input->height / input->width;
        if (width == 0) width = 1;
        if (height == 0) height = 1;
    }
    found.area.x = (uint16_t)((source->width - width) / 2);
    found.area.y = (uint16_t)((source->height - height) / 2);
    found.area.width = (uint16_t)width;
    found.area.height = (uint16_t)height;
    return found;
}

static int fits(const te_image *image) {
    const te_image_source *s = &image->source;
    if (!s->width || !s->height || s->width > TE_IMAGE_LARGEST || s->height > TE_IMAGE_LARGEST) return 0;
    if (!image->input->width || !image->input->height || image->input->width > TE_IMAGE_LARGEST ||
        image->input->height > TE_IMAGE_LARGEST)
        return 0;
    if (!s->area.width || !s->area.height || s->area.x + s->area.width > s->width ||
        s->area.y + s->area.height > s->height)
        return 0;
    return image->input->nearest || (is_exact(across(image)) && is_exact(down(image)));
}

/* The next `bytes` of the memory; before there is one, all of it lies at NULL. */
static void *take(uintptr_t *top, uint32_t bytes) {
    const uintptr_t address = *top;
    *top += bytes;
    return (void *)address;
}

/* Lays out the memory from `base` on; returns its size. What needs the largest alignment comes first. */
static uint32_t lay_out(te_image *image, uintptr_t base) {
    const uint32_t width = image->input->width, values = width * image->source.pixels->channels;
    const way horizontal = way_of(image, across(image)), vertical = way_of(image, down(image));
    uintptr_t top = base;
    image->weights = NULL;
    image->sums = NULL;
    image->counts = NULL;
    image->second = NULL;
    if (horizontal != PICK)
        image->weights = take(&top, 8 * (horizontal == NARROW ? image->source.area.width : width));
    if (vertical == NARROW) image->sums = take(&top, 8 * values);
    if (horizontal == NARROW) {
        image->counts = take(&top, 2 * width + 2);
    } else {
        image->columns[0] = take(&top, 2 * width);
        if (horizontal == BLEND) image->columns[1] = take(&top, 2 * width);
    }
    if (vertical == BLEND)
        for (uint32_t k = 0; k < 2; k++) image->rows[k] = take(&top, values);
    image->values = take(&top, values);
    if (horizontal == BLEND) image->second = take(&top, values);
    image->result = take(&top, width * image->input->channels);
    return (uint32_t)(top - base + 3) & ~3u;
}

static void narrow_tables(te_image *image, te_axis a) {
    uint32_t before = 0;
    for (uint32_t i = 0; i < a.in; i++) image->weights[i] = (te_two){0, 0};
    for (uint32_t j = 0; j < a.out; j++) {
        const uint32_t end = te_end(a, j), total = te_total(a, j);
        for (uint32_t i = te_first(a, j); i < end; i++)
            *(i < before ? &image->weights[i].next : &image->weights[i].near) =
                te_scaled(te_weight(a, i, j), total) << image->source.pixels->shift;
        image->counts[j] = (uint16_t)(end - before);
        before = end;
    }
    image->counts[a.out] = 0;
}

static void blend_tables(te_image *image, te_axis a) {
    for (uint32_t j = 0; j < a.out; j++) {
        const uint32_t first = te_first(a, j), last = te_end(a, j) - 1, total = te_total(a, j);
        image->columns[0][j] = (uint16_t)(image->source.area.x + first);
        image->columns[1][j] = (uint16_t)(image->source.area.x + last);
        image->weights[j].near = te_scaled(te_weight(a, first, j), total);
        image->weights[j].next = last > first ? te_scaled(te_weight(a, last, j), total) : 0;
    }
}

static void tables(te_image *image) {
    const te_axis a = across(image);
    switch (way_of(image, a)) {
    case NARROW:
        narrow_tables(image, a);
        break;
    case BLEND:
        blend_tables(image, a);
        break;
    default:
        for (uint32_t j = 0; j < a.out; j++)
            image->columns[0][j] = (uint16_t)(image->source.area.x + te_nearest(a, j));
    }
}

uint32_t te_image_bytes(const te_image_input *input, const te_image_source *source) {
    te_image image = {.input = input, .source = with_area(input, source)};
    return fits(&image) ? lay_out(&image, 0) : 0;
}

int te_image_open(te_image *image, const te_image_input *input, const te_image_source *source, void *memory,
                  uint32_t bytes) {
    const uint32_t needed = te_image_bytes(input, source);
    if (!needed) return TE_IMAGE_BAD_SOURCE;
    if (bytes < needed) return TE_IMAGE_SMALL_MEMORY;
    image->input = input;
    image->source = with_area(input, source);
    lay_out(image, (uintptr_t)memory);
    tables(image);
    te_image_begin(image, NULL, NULL);
    return TE_IMAGE_READY;
}

void te_image_begin(te_image *image, te_image_row row, void *context) {
    const te_axis a = down(image);
    image->row = row;
    image->context = context;
    image->line = image->output = 0;
    if (way_of(image, a) != NARROW) return;
    image->total = te_total(a, 0);
    image->following = a.out > 1 ? te_total(a, 1) : 0;
    const uint32_t values = a.out ? image->input->width * image->source.pixels->channels : 0;
    for (uint32_t k = 0; k < values; k++) image->sums[k] = (te_two){WEIGHT_HALF, WEIGHT_HALF};
}

static void push_row(void *context, const int8_t *values) {
    ((const te_model *)context)->push_rows(values, 1);
}

void te_image_feed(te_image *image, const te_model *model) {
    model->begin();
    te_image_begin(image, push_row, (void *)(uintptr_t)model);
}

uint32_t te_image_line_bytes(const te_image_source *source) {
    const uint32_t group = source->pixels->group;
    return (source->width + group - 1) / group * group * source->pixels->bytes;
}

/* ITU-R 601 */
static uint32_t luma(const uint8_t *rgb) {
    return (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16;
}

/* Whether each resized value becomes one of the input. */
static int is_plain(const te_image *image) {
    const te_image_input *input = image->input;
    return image->source.pixels->channels == input->channels && (input->channels == 1 || !input->luma);
}

static void hand_over(te_image *image) {
    image->output++;
    if (image->row) image->row(image->context, image->result);
}

/* A row of resized pixels as a row of the input. */
static void deliver(te_image *image, const uint8_t *values) {
    const te_image_input *input = image->input;
    const uint32_t from = image->source.pixels->channels, to = input->channels;
    int8_t *result = image->result;
    if (is_plain(image)) {
        const int8_t *const end = result + input->width * to;
        while (result < end) *result++ = input->values[*values++];
    } else {
        for (uint32_t left = input->width; left; left--, values += from) {
            const int8_t value = input->values[from == 1 ? values[0] : luma(values)];
            for (uint32_t c = 0; c < to; c++) *result++ = value;
        }
    }
    hand_over(image);
}

/* The sums of a complete row; those of the row behind it take their place. */
static void deliver_sums(te_image *image) {
    const int8_t *const table = image->input->values;
    te_two *sum = image->sums, *const end = sum + image->input->width * image->source.pixels->channels;
    if (is_plain(image)) {
        for (int8_t *result = image->result; sum < end; sum++) {
            *result++ = table[sum->near >> WEIGHT_BITS];
            *sum = (te_two){sum->next, WEIGHT_HALF};
        }
        hand_over(image);
    } else {
        for (uint8_t *value = image->values; sum < end; sum++) {
            *value++ = (uint8_t)(sum->near >> WEIGHT_BITS);
            *sum = (te_two){sum->next, WEIGHT_HALF};
        }
        deliver(image, image->values);
    }
}

/* A line of the source resized to the input's width. */
static void resize_line(te_image *image, const uint8_t *line, uint8_t *values) {
    const te_pixels *pixels = image->source.pixels;
    const uint32_t width = image->input->width, channels = pixels->channels;
    if (image->counts) {
        const te_narrowing to = {image->weights, image->counts, width, values, NULL, 0, 0};
        pixels->narrow(&to, line, image->source.area.x);
        return;
    }
    pixels->pick(line, image->columns[0], width, values);
    if (!image->second) return;
    const uint8_t *second = image->second;
    pixels->pick(line, image->columns[1], width, image->second);
    for (uint32_t x = 0; x < width; x++) {
        const te_two weight = image->weights[x];
        for (uint32_t c = 0; c < channels; c++, values++)
            *values =
                (uint8_t)((*values * weight.near + *second++ * weight.next + WEIGHT_HALF) >> WEIGHT_BITS);
    }
}

static void add_line(te_image *image, const uint8_t *line, uint32_t near, uint32_t next) {
    const uint32_t width = image->input->width, values = width * image->source.pixels->channels;
    if (image->counts) {
        const te_narrowing to = {image->weights, image->counts, width, NULL, image->sums, near, next};
        image->source.pixels->narrow(&to, line, image->source.area.x);
        return;
    }
    resize_line(image, line, image->values);
    te_two *sum = image->sums;
    const uint8_t *value = image->values;
    for (te_two *const end = sum + values; sum < end; sum++, value++)
        *sum = (te_two){sum->near + near * *value, sum->next + next * *value};
}

/* Line y of the area, which is part of an output and of the one behind it. */
static void narrow_line(te_image *image, te_axis a, uint32_t y, const uint8_t *line) {
    const uint32_t j = image->output;
    const uint32_t near = te_scaled(te_weight(a, y, j), image->total);
    const uint32_t next = image->following ? te_scaled(te_weight(a, y, j + 1), image->following) : 0;
    add_line(image, line, near, next);
    if (y + 1 < te_end(a, j)) return;
    image->total = image->following;
    image->following = j + 2 < a.out ? te_total(a, j + 2) : 0;
    deliver_sums(image);
}

/* Output j between its two lines. */
static void blend_row(te_image *image, te_axis a, uint32_t j) {
    const uint32_t first = te_first(a, j), last = te_end(a, j) - 1, total = te_total(a, j);
    const uint32_t upper = te_scaled(te_weight(a, first, j), total);
    const uint32_t lower = last > first ? te_scaled(te_weight(a, last, j), total) : 0;
    const uint32_t values = image->input->width * image->source.pixels->channels;
    const uint8_t *above = image->rows[first % 2], *below = image->rows[last % 2];
    for (uint32_t k = 0; k < values; k++)
        image->values[k] = (uint8_t)((above[k] * upper + below[k] * lower + WEIGHT_HALF) >> WEIGHT_BITS);
    deliver(image, image->values);
}

static void take_line(te_image *image, uint32_t y, const uint8_t *line) {
    const te_axis a = down(image);
    switch (way_of(image, a)) {
    case NARROW:
        narrow_line(image, a, y, line);
        break;
    case BLEND:
        resize_line(image, line, image->rows[y % 2]);
        while (image->output < a.out && te_end(a, image->output) == y + 1) blend_row(image, a, image->output);
        break;
    default:
        if (te_nearest(a, image->output) != y) return;
        resize_line(image, line, image->values);
        while (image->output < a.out && te_nearest(a, image->output) == y) deliver(image, image->values);
    }
}

void te_image_push(te_image *image, const void *lines, uint32_t count) {
    const te_image_source *source = &image->source;
    const uint8_t *line = lines;
    const uint32_t bytes = te_image_line_bytes(source);
    for (; count; count--, line += bytes) {
        const uint32_t y = image->line++ - source->area.y; /* wraps above the area */
        if (y < source->area.height && image->output < image->input->height) take_line(image, y, line);
    }
}
