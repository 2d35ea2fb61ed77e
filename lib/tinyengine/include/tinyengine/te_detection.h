/* Boxes of an object detector: decoded, and only the best of those that lie over each other. */
#ifndef TE_DETECTION_H
#define TE_DETECTION_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Values of float32, or of int8 when `bytes`: (q - zero) * scale. */
typedef struct te_detection_values {
    float scale;
    int16_t zero;
    uint16_t bytes;
} te_detection_values;

typedef struct te_detection_params {
    te_detection_values encodings, scores;
    uint16_t boxes, row; /* encodings: [boxes][row], of which the first four count */
    uint16_t columns,
        background; /* scores: [boxes][columns], after `background` columns one for each class */
    uint16_t detections, per_box; /* most boxes that are found; classes that each is listed with */
    uint16_t per_class;           /* 0: all classes are looked at together; else most boxes of each class */
    float least_score, most_overlap;
    float scales[4];      /* that y, x, height, width are divided by */
    const float *anchors; /* [boxes][4]: y, x, height, width */
} te_detection_params;

/* corners: [detections * per_box][4] of y, x, y, x; classes, found: as many, class and score; count: how many
 * detections there are; zeros follow them.
 *
 * scratch: 4 * boxes bytes, 2 * boxes rounded up to a multiple of 4, and with per_class 16 for each of the smaller of
 * boxes and per_class. */
void te_detection_f32(const te_detection_params *p, const void *encodings, const void *scores, float *corners,
                      float *classes, float *found, float *count, void *scratch);

TE_END_C

#endif
