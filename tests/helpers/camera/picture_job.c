#include "picture_job.h"

typedef struct sink {
    int8_t *next;
    uint32_t bytes;
} sink;

te_image_source picture_source(const picture_job *job) {
    const te_pixels *const formats[] = {&te_rgb565le, &te_rgb565be, &te_rgb888,    &te_yuyv,
                                        &te_uyvy,     &te_gray8,    &te_yuyv_gray, &te_uyvy_gray};
    te_image_source source = {.pixels = formats[job->format], .width = job->width, .height = job->height};
    source.area.x = job->area[0];
    source.area.y = job->area[1];
    source.area.width = job->area[2];
    source.area.height = job->area[3];
    return source;
}

static void keep(void *context, const int8_t *values) {
    sink *to = context;
    for (uint32_t k = 0; k < to->bytes; k++) *to->next++ = values[k];
}

int picture_convert(te_image *image, const picture_job *job, const uint8_t *frame, int8_t *rows,
                    int8_t **end) {
    const te_image_source source = picture_source(job);
    const uint32_t line = te_image_line_bytes(&source);
    sink to = {rows, (uint32_t)job->input.width * job->input.channels};
    if (line * job->height != job->frame_bytes) return 100;
    te_image_begin(image, job->unheard ? NULL : keep, &to);
    if (job->by_lines)
        for (uint32_t y = 0; y < job->height; y++) te_image_push(image, frame + line * y, 1);
    else
        te_image_push(image, frame, job->height);
    *end = to.next;
    return 0;
}
