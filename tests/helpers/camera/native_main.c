/* Converts pictures from stdin, each with exactly the memory that it needs; status, size and rows to stdout. */
#include "picture_job.h"

#include <stdio.h>
#include <stdlib.h>

static int8_t *allocated(uint32_t bytes) {
    int8_t *data = malloc(bytes ? bytes : 1);
    if (!data) exit(3);
    return data;
}

static void convert(const picture_job *job, const uint8_t *frame) {
    const te_image_source source = picture_source(job);
    const uint32_t bytes = te_image_bytes(&job->input, &source);
    const uint32_t most = (uint32_t)job->input.width * job->input.height * job->input.channels;
    int8_t *memory = allocated(bytes), *rows = allocated(most), *end = rows;
    te_image image;
    uint32_t answer[3] = {0, 0, bytes};
    answer[0] = (uint32_t)te_image_open(&image, &job->input, &source, memory, bytes);
    if (answer[0] == TE_IMAGE_READY) answer[0] = (uint32_t)picture_convert(&image, job, frame, rows, &end);
    if (bytes && te_image_open(&image, &job->input, &source, memory, bytes - 1) != TE_IMAGE_SMALL_MEMORY)
        answer[0] = 101;
    answer[1] = (uint32_t)(end - rows);
    fwrite(answer, sizeof answer, 1, stdout);
    fwrite(rows, 1, answer[1], stdout);
    free(memory);
    free(rows);
}

int main(void) {
    picture_job job;
    while (fread(&job, sizeof job, 1, stdin) == 1) {
        uint8_t *frame = (uint8_t *)allocated(job.frame_bytes);
        if (fread(frame, 1, job.frame_bytes, stdin) != job.frame_bytes) return 2;
        convert(&job, frame);
        fflush(stdout);
        free(frame);
    }
    return 0;
}
