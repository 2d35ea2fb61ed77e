/* Pixels as a camera delivers them -> the int8 input of a network, line by line, in integers.
 *
 * What comes out are the bytes that the host makes of the same picture (host/tinyengine/data/images.py): a
 * part of the picture is cut out, resized (bilinear with antialiasing, or nearest), made luma where the
 * network wants it, and mapped to int8. A camera's pixels become RGB first, as host/tinyengine/data/pixels.py
 * says. No frame is held: the memory is a few lines, the caller's.
 *
 *     #include "network_image.h"   // generated, for a network with a MODEL.json: te_image_input network_image
 *
 *     static uint32_t memory[TE_IMAGE_BYTES(320, NETWORK_IMAGE_WIDTH) / 4];
 *     static te_image image;
 *     const te_image_source camera = {.pixels = &te_rgb565be, .width = 320, .height = 240};
 *
 *     te_image_open(&image, &network_image, &camera, memory, sizeof memory);   // once
 *
 *     te_image_feed(&image, &network);                                         // each frame
 *     for (each line) te_image_push(&image, line, 1);
 *     network.finish();
 *     class = te_answer(&network.outputs[0], 0.5f, &probability);              // te_answer.h
 *
 * Functions are reentrant: all state is in *image and its memory. Neither may be in use by two calls at once.
 */
#ifndef TE_IMAGE_H
#define TE_IMAGE_H

#include "tinyengine/te_model.h"

TE_BEGIN_C

#define TE_IMAGE_LARGEST 4095u /* width and height of a source */

/* Memory that serves every source up to this width, aligned to 4; te_image_bytes tells what one needs. */
#define TE_IMAGE_BYTES(source_width, input_width) (19u * (source_width) + 30u * (input_width) + 64u)

/* How the pixels of a picture become the input of a network; generated. */
typedef struct te_image_input {
    uint16_t width, height;
    uint8_t channels; /* 1 or 3 */
    uint8_t luma;     /* every channel of a pixel holds its luma */
    uint8_t nearest;  /* no filter: the source's pixel in whose area the middle of the input's lies */
    uint8_t center;   /* of the source only the largest part in the middle that has the input's proportions */
    int8_t values[256]; /* of the input, by what a pixel is */
} te_image_input;

/* Narrows a row of sums of columns. */
typedef struct te_narrowing {
    const uint32_t *sums;
    const uint32_t *columns; /* te_image.c, narrow_tables */
    const int8_t *values;    /* by what a channel is, 0 to 255 */
    int8_t *result;          /* [output][channel] */
} te_narrowing;

/* Adds a line to the sums of its columns: words of 4 bytes, times the weight on the row that is being made (lower 16
 * bits) and on the one behind it. */
typedef void te_add_line(uint32_t *sums, const uint8_t *bytes, uint32_t words, uint32_t weights);

/* A format of pixels. Per 4 bytes of a line there are `fields` words of sums for a row, each with two sums of 16
 * bits, and as many for the row behind it. */
typedef struct te_pixels {
    uint8_t channels; /* 3: RGB, 1: gray */
    uint8_t bytes;    /* of a pixel */
    uint8_t group;    /* pixels that only exist together: a line is a multiple of them */
    uint8_t block;    /* pixels that are narrowed together: 2 or 4 */
    uint8_t fields;
    te_add_line *add, *begin; /* `begin` first makes the row behind the one that is being made */
    void (*narrow)(const te_narrowing *to);                              /* with the DSP extension */
    void (*column)(const uint32_t *sums, uint32_t x, uint32_t *numbers); /* sums of pixel x, by channel */
    void (*finish)(const uint32_t *totals, uint8_t *values);             /* weighted sums -> 0 to 255 */
    void (*pick)(const uint8_t *line, const uint16_t *columns, uint32_t count, uint8_t *values);
} te_pixels;

extern const te_pixels te_rgb565le,
    te_rgb565be;                  /* red in the highest bits of 16; less, more significant byte first */
extern const te_pixels te_rgb888; /* bytes R G B */
extern const te_pixels te_yuyv, te_uyvy; /* YUV 4:2:2 of JPEG's range: bytes Y U Y V, U Y V Y */
extern const te_pixels te_gray8;
extern const te_pixels te_yuyv_gray, te_uyvy_gray; /* their Y, as gray pixels */

/* What delivers pictures. Of an area without width, everything counts, or what te_image_input.center says. */
typedef struct te_image_source {
    const te_pixels *pixels;
    uint16_t width, height;
    struct {
        uint16_t x, y, width, height;
    } area;
} te_image_source;

/* Takes one row of the input, width x channels values, which are there until it returns. */
typedef void (*te_image_row)(void *context, const int8_t *values);

/* How much of 2^bits the weights of an output have got so far (te_weights.h). */
typedef struct te_shares {
    uint32_t until, total, surplus, given;
} te_shares;

/* A column of the sums, and the weight of the one behind it. */
typedef struct te_blend {
    uint16_t column, weight;
} te_blend;

typedef struct te_image { /* private */
    const te_image_input *input;
    te_image_source source;
    te_image_row row;
    void *context;
    uint32_t line, output; /* the next one of the source, of the input */
    uint32_t end, fresh; /* one behind the last line of that output; whether its sums are those of `behind` */
    te_shares near, behind;
    uint32_t pitch, start, counted; /* bytes of a line; before and of what counts of it */
    uint32_t *sums, *narrowing;
    te_blend *blends;
    uint16_t *columns;
    uint8_t *previous; /* line */
    const int8_t *values;
    int8_t *stage, *result; /* a row by the channels of the source, of the input */
} te_image;

enum { TE_IMAGE_READY, TE_IMAGE_BAD_SOURCE, TE_IMAGE_SMALL_MEMORY };

/* Bytes of memory that te_image_open wants; 0 for a source that it would refuse: larger than TE_IMAGE_LARGEST, or
 * with an area that does not lie inside. */
uint32_t te_image_bytes(const te_image_input *input, const te_image_source *source);

/* Prepares tables in `memory` (aligned to 4), which from now on belongs to *image. `input` must stay; *source
 * is copied. */
int te_image_open(te_image *image, const te_image_input *input, const te_image_source *source, void *memory,
                  uint32_t bytes);

/* Begins a picture, whose rows of the input go to row(context, ...) as soon as they are complete. */
void te_image_begin(te_image *image, te_image_row row, void *context);

/* Begins a picture whose rows go to the network's push_rows; its finish() is left to the caller. */
void te_image_feed(te_image *image, const te_model *model);

/* Bytes of a line of the source. */
uint32_t te_image_line_bytes(const te_image_source *source);

/* The next `count` lines of the source, one behind the other. A frame is source.height lines. */
void te_image_push(te_image *image, const void *lines, uint32_t count);

TE_END_C

#endif
