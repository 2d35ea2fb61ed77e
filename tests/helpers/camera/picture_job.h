/* A picture to convert, as a test asks for it, and what became of it. */
#ifndef PICTURE_JOB_H
#define PICTURE_JOB_H

#include "tinyengine/te_image.h"

/* Little-endian, and the frame behind it. */
typedef struct picture_job {
    uint32_t format, by_lines, unheard, frame_bytes; /* unheard: nobody takes the rows */
    uint16_t width, height, area[4];
    te_image_input input;
} picture_job;

/* A source as the job has it. */
te_image_source picture_source(const picture_job *job);

/* Converts into `rows`, which have a place for all of the input; *end is one behind what was written. */
int picture_convert(te_image *image, const picture_job *job, const uint8_t *frame, int8_t *rows,
                    int8_t **end);

#endif
