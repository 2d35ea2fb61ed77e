#include "tinyengine/te_image.h"

#include "te_weights.h"

/* Nothing given yet to the pixels of output j. A total loses its lowest bits where te_share's products would
 * not fit. */
static te_shares shares_of(te_axis a, uint32_t j, uint32_t bits) {
    te_shares shares = {0, te_total(a, j), 0, 0};
    while (shares.total >> shares.surplus >> (30 - bits)) shares.surplus++;
    shares.total >>= shares.surplus;
    return shares;
}

static te_axis across(const te_image *image) {
    return (te_axis){image->source.area.width, image->input->width};
}

static te_axis down(const te_image *image) {
    return (te_axis){image->source.area.height, image->input->height};
}

/* Pixels to the left of the area that come with its first one. */
static uint32_t ahead(const te_image_source *source) {
    return source->area.x % source->pixels->group;
}

static uint32_t rounded_up(uint32_t value, uint32_t unit) {
    return (value + unit - 1) / unit * unit;
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
    const te_image_input *input = image->input;
    const te_image_source *s = &image->source;
    if (!s->width || !s->height || s->width > TE_IMAGE_LARGEST || s->height > TE_IMAGE_LARGEST) return 0;
    if (!input->width || !input->height || input->width > TE_IMAGE_LARGEST ||
        input->height > TE_IMAGE_LARGEST)
        return 0;
    return s->area.width && s->area.height && s->area.x + s->area.width <= s->width &&
           s->area.y + s->area.height <= s->height;
}

/* Whether a network wants luma, and the source has colors. */
static int takes_luma(const te_image *image) {
    return image->source.pixels->channels == 3 && (image->input->channels == 1 || image->input->luma);
}

/* Whether each resized value becomes one of the input. */
static int is_plain(const te_image *image) {
    return image->source.pixels->channels == image->input->channels && !takes_luma(image);
}

/* The next `bytes` of the memory; before there is one, all of it lies at NULL. */
static void *take(uintptr_t *top, uint32_t bytes) {
    const uintptr_t address = *top;
    *top += bytes;
    return (void *)address;
}

static uint32_t sums_of(const te_image *image) {
    const te_image_source *source = &image->source;
    const te_pixels *pixels = source->pixels;
    const uint32_t columns = rounded_up(ahead(source) + source->area.width, pixels->block);
    return columns * pixels->bytes / 4 * 2 * pixels->fields;
}

/* Pixels that are part of output j of a narrowed row and of the one behind it, and their blocks. A block may
 * belong to two of such segments. */
typedef struct segment {
    uint32_t first, end, block, count; /* pixels, blocks */
} segment;

static segment segment_of(const te_image *image, te_axis a, uint32_t j) {
    const uint32_t margin = ahead(&image->source), block = image->source.pixels->block;
    segment s = {j ? te_end(a, j - 1) : 0, te_end(a, j), 0, 0};
    s.block = (margin + s.first) / block;
    s.count = (margin + s.end - 1) / block + 1 - s.block;
    if (image->source.pixels->fields == 3 && s.count == 1)
        s.count = 2; /* so that te_narrow_rgb565 need not ask */
    return s;
}

/* Words of narrow_tables. */
static uint32_t narrowing_of(const te_image *image, te_axis a) {
    uint32_t words = 2;
    for (uint32_t j = 0; j < a.out; j++)
        words += 2 + segment_of(image, a, j).count * image->source.pixels->block;
    return words;
}

/* Lays out the memory from `base` on; returns its size. Words come first. */
static uint32_t lay_out(te_image *image, uintptr_t base) {
    const te_pixels *pixels = image->source.pixels;
    const te_axis horizontal = across(image), vertical = down(image);
    const uint32_t width = horizontal.out, margin = ahead(&image->source);
    uintptr_t top = base;
    image->pitch = te_image_line_bytes(&image->source);
    image->start = (image->source.area.x - margin) * pixels->bytes;
    image->counted = rounded_up(margin + horizontal.in, pixels->group) * pixels->bytes;
    image->sums = image->narrowing = NULL;
    if (!image->input->nearest) {
        image->sums = take(&top, 4 * sums_of(image));
        if (horizontal.in > width)
            image->narrowing = take(&top, 4 * narrowing_of(image, horizontal));
        else
            image->blends = take(&top, 4 * width);
    } else {
        image->columns = take(&top, 2 * width);
    }
    image->result = take(&top, width * image->input->channels);
    if (!image->input->nearest && vertical.in < vertical.out) image->previous = take(&top, image->counted);
    image->stage = is_plain(image) ? image->result : take(&top, width * pixels->channels);
    return (uint32_t)(top - base + 3) & ~3u;
}

static uint32_t block_bytes_of(const te_pixels *pixels) {
    return 2u * pixels->block * pixels->bytes * pixels->fields;
}

/* Per output: the number of its blocks, then how many bytes of sums the first lies behind those that were last,
 * 0 or less; then for each block its weights on the output, then on the one behind it. These lie in the halves
 * of words: with blocks of 4 the first word has pixels 0 and 2. At the end 0. */
static void narrow_tables(te_image *image, te_axis a) {
    const te_pixels *pixels = image->source.pixels;
    const uint32_t block = pixels->block, half = block / 2, margin = ahead(&image->source);
    uint32_t *word = image->narrowing, reached = 0;
    te_shares near = shares_of(a, 0, COLUMN_BITS);
    for (uint32_t j = 0; j < a.out; j++) {
        const segment s = segment_of(image, a, j);
        te_shares next = near;
        if (j + 1 < a.out) next = shares_of(a, j + 1, COLUMN_BITS);
        *word++ = s.count;
        *word++ = (s.block - reached) * block_bytes_of(pixels);
        reached = s.block + s.count;
        for (uint32_t k = 0; k < s.count * block; k++) word[k] = 0;
        for (uint32_t i = s.first; i < s.end; i++) {
            const uint32_t at = margin + i - s.block * block, place = at % block;
            uint32_t *to = word + (at - place) + place % half;
            to[0] |= te_share(&near, te_weight(a, i, j), COLUMN_BITS) << place / half * 16;
            if (j + 1 < a.out)
                to[half] |= te_share(&next, te_weight(a, i, j + 1), COLUMN_BITS) << place / half * 16;
        }
        word += s.count * block;
        near = next;
    }
    word[0] = word[1] = 0;
}

static void blend_tables(te_image *image, te_axis a) {
    for (uint32_t j = 0; j < a.out; j++) {
        const uint32_t first = te_first(a, j);
        te_shares shares = shares_of(a, j, COLUMN_BITS);
        image->blends[j].column = (uint16_t)(ahead(&image->source) + first);
        image->blends[j].weight =
            (uint16_t)((1u << COLUMN_BITS) - te_share(&shares, te_weight(a, first, j), COLUMN_BITS));
    }
}

uint32_t te_image_bytes(const te_image_input *input, const te_image_source *source) {
    te_image image = {.input = input, .source = with_area(input, source)};
    return fits(&image) ? lay_out(&image, 0) : 0;
}

#define FOUR(n) n, n + 1, n + 2, n + 3
#define SIXTEEN(n) FOUR(n), FOUR(n + 4), FOUR(n + 8), FOUR(n + 12)
#define SIXTY_FOUR(n) SIXTEEN(n), SIXTEEN(n + 16), SIXTEEN(n + 32), SIXTEEN(n + 48)

/* Colors that become luma stay as they are until then. */
static const int8_t same[256] = {SIXTY_FOUR(0), SIXTY_FOUR(64), SIXTY_FOUR(-128), SIXTY_FOUR(-64)};

int te_image_open(te_image *image, const te_image_input *input, const te_image_source *source, void *memory,
                  uint32_t bytes) {
    const uint32_t needed = te_image_bytes(input, source);
    if (!needed) return TE_IMAGE_BAD_SOURCE;
    if (bytes < needed) return TE_IMAGE_SMALL_MEMORY;
    image->input = input;
    image->source = with_area(input, source);
    lay_out(image, (uintptr_t)memory);
    image->values = takes_luma(image) ? same : input->values;
    const te_axis a = across(image);
    if (input->nearest)
        for (uint32_t j = 0; j < a.out; j++)
            image->columns[j] = (uint16_t)(image->source.area.x + te_nearest(a, j));
    else if (image->narrowing)
        narrow_tables(image, a);
    else
        blend_tables(image, a);
    image->line = 1; /* the sums are not known yet */
    image->output = 0;
    te_image_begin(image, NULL, NULL);
    return TE_IMAGE_READY;
}

void te_image_begin(te_image *image, te_image_row row, void *context) {
    const te_axis a = down(image);
    if (image->sums && image->line && image->output < a.out) /* a complete picture leaves zeros for `begin` */
        for (uint32_t k = 0, sums = sums_of(image); k < sums; k++) image->sums[k] = 0;
    image->row = row;
    image->context = context;
    image->line = image->output = 0;
    image->fresh = 1;
    image->end = te_end(a, 0);
    image->near = shares_of(a, 0, LINE_BITS);
    if (a.out > 1) image->behind = shares_of(a, 1, LINE_BITS);
}

static void push_row(void *context, const int8_t *values) {
    ((const te_model *)context)->push_rows(values, 1);
}

void te_image_feed(te_image *image, const te_model *model) {
    model->begin();
    te_image_begin(image, push_row, (void *)(uintptr_t)model);
}

uint32_t te_image_line_bytes(const te_image_source *source) {
    return rounded_up(source->width, source->pixels->group) * source->pixels->bytes;
}

/* ITU-R 601 */
static uint32_t luma(const uint8_t *rgb) {
    return (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16;
}

/* The row in `stage` as one of the input. */
static void deliver(te_image *image) {
    const te_image_input *input = image->input;
    const uint32_t from = image->source.pixels->channels, to = input->channels;
    if (!is_plain(image)) {
        const int8_t *values = image->stage;
        int8_t *result = image->result;
        for (uint32_t left = input->width; left; left--, values += from) {
            const int8_t value = from == 1 ? *values : input->values[luma((const uint8_t *)values)];
            for (uint32_t c = 0; c < to; c++) *result++ = value;
        }
    }
    image->output++;
    if (image->row) image->row(image->context, image->result);
}

static int8_t *finished(const te_image *image, const uint32_t *totals, int8_t *result) {
    const te_pixels *pixels = image->source.pixels;
    uint8_t values[3];
    pixels->finish(totals, values);
    for (uint32_t c = 0; c < pixels->channels; c++) *result++ = image->values[values[c]];
    return result;
}

#if TE_DSP
static void narrow_columns(const te_image *image) {
    const te_narrowing to = {image->sums, image->narrowing, image->values, image->stage};
    image->source.pixels->narrow(&to);
}
#else
/* Every column is part of one output and of the one behind it: two totals per channel are in the making. */
static void narrow_columns(const te_image *image) {
    const te_pixels *pixels = image->source.pixels;
    const uint32_t block = pixels->block, half = block / 2, *word = image->narrowing;
    int8_t *result = image->stage;
    uint32_t totals[2][3] = {{0}}, x = 0;
    for (uint32_t near = 0; word[0]; near ^= 1) {
        const uint32_t *const end = word + 2 + word[0] * block;
        x -= (0u - word[1]) / block_bytes_of(pixels) * block;
        for (word += 2; word < end; word += block)
            for (uint32_t place = 0; place < block; place++, x++) {
                const uint32_t *weights = word + place % half, shift = place / half * 16;
                const uint32_t weight = weights[0] >> shift & 0xFFFF, next = weights[half] >> shift & 0xFFFF;
                uint32_t numbers[3];
                if (!(weight | next)) continue;
                pixels->column(image->sums, x, numbers);
                for (uint32_t c = 0; c < pixels->channels; c++) {
                    totals[near][c] += numbers[c] * weight;
                    totals[near ^ 1][c] += numbers[c] * next;
                }
            }
        result = finished(image, totals[near], result);
        for (uint32_t c = 0; c < 3; c++) totals[near][c] = 0;
    }
}
#endif

static void blend_columns(const te_image *image) {
    const te_pixels *pixels = image->source.pixels;
    int8_t *result = image->stage;
    for (uint32_t j = 0; j < image->input->width; j++) {
        const te_blend blend = image->blends[j];
        uint32_t totals[3], next[3] = {0, 0, 0};
        pixels->column(image->sums, blend.column, totals);
        if (blend.weight) pixels->column(image->sums, blend.column + 1u, next);
        for (uint32_t c = 0; c < pixels->channels; c++)
            totals[c] = totals[c] * ((1u << COLUMN_BITS) - blend.weight) + next[c] * blend.weight;
        result = finished(image, totals, result);
    }
}

/* The sums of columns as a row of the input. */
static void deliver_sums(te_image *image) {
    if (image->narrowing)
        narrow_columns(image);
    else
        blend_columns(image);
    deliver(image);
}

static void add_line(te_image *image, te_add_line *add, const uint8_t *line, uint32_t near, uint32_t next) {
    const uint32_t words = image->counted / 4, rest = image->counted % 4, weights = near | next << 16;
    add(image->sums, line, words, weights);
    if (rest) {
        uint8_t last[4] = {0, 0, 0, 0};
        for (uint32_t k = 0; k < rest; k++) last[k] = line[4 * words + k];
        add(image->sums + words * 2 * image->source.pixels->fields, last, 1, weights);
    }
}

/* Line y of the area, which is part of an output and of the one behind it. */
static void narrow_line(te_image *image, te_axis a, uint32_t y, const uint8_t *line) {
    const te_pixels *pixels = image->source.pixels;
    const uint32_t j = image->output;
    const uint32_t near = te_share(&image->near, te_weight(a, y, j), LINE_BITS);
    const uint32_t next = j + 1 < a.out ? te_share(&image->behind, te_weight(a, y, j + 1), LINE_BITS) : 0;
    add_line(image, image->fresh ? pixels->begin : pixels->add, line, near, next);
    image->fresh = y + 1 == image->end;
    if (!image->fresh) return;
    image->near = image->behind;
    image->end = te_end(a, j + 1);
    if (j + 2 < a.out) image->behind = shares_of(a, j + 2, LINE_BITS);
    deliver_sums(image);
}

/* Outputs whose last line is y; the first is the same or the one before. */
static void blend_line(te_image *image, te_axis a, uint32_t y, const uint8_t *line) {
    const te_pixels *pixels = image->source.pixels;
    for (uint32_t j; (j = image->output) < a.out && te_end(a, j) == y + 1;) {
        const uint32_t first = te_first(a, j);
        te_shares shares = shares_of(a, j, LINE_BITS);
        const uint32_t weight = te_share(&shares, te_weight(a, first, j), LINE_BITS);
        add_line(image, pixels->begin, first < y ? image->previous : line, weight, 0);
        if (first < y) add_line(image, pixels->add, line, (1u << LINE_BITS) - weight, 0);
        deliver_sums(image);
    }
    if (a.in < a.out)
        for (uint32_t k = 0; k < image->counted; k++) image->previous[k] = line[k];
}

static void pick_line(te_image *image, te_axis a, uint32_t y, const uint8_t *line) {
    const te_pixels *pixels = image->source.pixels;
    const uint32_t width = image->input->width, values = width * pixels->channels;
    int8_t *stage = image->stage;
    if (te_nearest(a, image->output) != y) return;
    pixels->pick(line, image->columns, width, (uint8_t *)stage);
    for (int8_t *const end = stage + values; stage < end; stage++) *stage = image->values[(uint8_t)*stage];
    while (image->output < a.out && te_nearest(a, image->output) == y) deliver(image);
}

static void take_line(te_image *image, uint32_t y, const uint8_t *line) {
    const te_axis a = down(image);
    if (image->input->nearest) {
        pick_line(image, a, y, line);
        return;
    }
    line += image->start;
    if (a.in > a.out)
        narrow_line(image, a, y, line);
    else
        blend_line(image, a, y, line);
}

void te_image_push(te_image *image, const void *lines, uint32_t count) {
    const te_image_source *source = &image->source;
    const uint8_t *line = lines;
    for (; count; count--, line += image->pitch) {
        const uint32_t y = image->line++ - source->area.y; /* wraps above the area */
        if (y < source->area.height && image->output < image->input->height) take_line(image, y, line);
    }
}
