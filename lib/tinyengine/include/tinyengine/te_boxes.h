/* Boxes out of the outputs of an object detector, by integers: decoding, and suppression of those that overlap.
 *
 * Shares of the picture's sides, scores and overlaps are multiples of 1 / TE_BOX_ONE. A value of 8 bits is taken as its
 * level: the byte XOR `flip`, so that int8 and uint8 both go from 0 to 255. */
#ifndef TE_BOXES_H
#define TE_BOXES_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

#define TE_BOX_ONE 32768u

typedef struct te_box {
    uint16_t index; /* of its class */
    uint16_t score;
    uint16_t left, top, right, bottom;
} te_box;

enum { TE_BOXES_HEATMAP, TE_BOXES_POINTS, TE_BOXES_GRID, TE_BOXES_SSD }; /* te_box_head.kind */

/* How the outputs are read. Heat map: (rows, columns, classes) probabilities, the first that nothing is there; cells
 * that touch and show the same class are one object. Points: `count` candidates of centre, size, (objectness,) `classes`
 * scores. Grid: (rows, columns, anchors) of logits: place of the centre, logarithm of the size over the anchor's,
 * objectness, `classes`. SSD: the four float outputs of TFLite_Detection_PostProcess. */
typedef struct te_box_head {
    uint8_t kind, flip, objectness;
    uint16_t threshold,
        overlap;       /* least score; largest share of their union that two boxes may have in common */
    uint16_t most;     /* boxes that are wanted */
    uint16_t capacity; /* candidates that are compared */
    uint16_t rows, columns, anchors, classes;
    int32_t zero; /* level of 0 */
    uint32_t count;
    uint32_t across, down; /* values from one candidate to the next, and within one */
    int32_t score_factor, width_factor, height_factor; /* of a level: 1 / (TE_BOX_ONE << 16) */
    /* of a grid, by levels: */
    const uint32_t *anchor;           /* [anchors][2] half of width and height, 27 fraction bits */
    const uint16_t *logistic;         /* [256] */
    const uint16_t *power;            /* [256] exp(-x) of how far a level lies below the largest one */
    const uint32_t *exponential;      /* [256] 16 fraction bits */
    const int32_t *place_x, *place_y; /* [256] of a centre from where its cell begins */
} te_box_head;

/* What a network's generated code has. `find` after a run, as long as the outputs are valid: how many; they are in
 * `found`, best first. */
typedef struct te_boxes {
    uint32_t (*find)(void);
    const te_box *found;
} te_boxes;

/* At most h->most boxes, best first, equal scores in the order of the candidates. `boxes` has room for h->capacity;
 * `cells`, only for a heat map, for rows * columns. */
uint32_t te_boxes_find(const te_box_head *h, const void *const *outputs, te_box *boxes, uint16_t *cells);

TE_END_C

#endif
