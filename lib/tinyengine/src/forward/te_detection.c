/* Candidates lie in a heap, so that only those are sorted, and decoded, that are looked at. */
#include "tinyengine/te_detection.h"

#include "../support/te_twofold.h"

/* Boxes of one ranking: that of a class, or of the best class of each box. */
typedef struct ranking {
    const te_detection_params *p;
    const void *encodings;
    float *score;   /* [boxes] */
    uint16_t *heap; /* [candidates] */
    uint32_t candidates;
    float *kept; /* corners of the boxes found so far, and room for one more */
    uint32_t apart, found;
} ranking;

static float value_at(const te_detection_values *t, const void *values, uint32_t i) {
    if (!t->bytes) return ((const float *)values)[i];
    return (float)(((const int8_t *)values)[i] - t->zero) * t->scale;
}

/* Better first, of equals the one with the smaller number. */
static int before(const ranking *r, uint32_t a, uint32_t b) {
    return r->score[a] > r->score[b] || (r->score[a] == r->score[b] && a < b);
}

static void sink(const ranking *r, uint32_t at) {
    const uint16_t moved = r->heap[at];
    for (uint32_t child; (child = 2 * at + 1) < r->candidates; at = child) {
        if (child + 1 < r->candidates && before(r, r->heap[child + 1], r->heap[child])) child++;
        if (!before(r, r->heap[child], moved)) break;
        r->heap[at] = r->heap[child];
    }
    r->heap[at] = moved;
}

/* The candidates: all boxes whose score reaches the threshold. */
static void rank(ranking *r) {
    r->candidates = 0;
    for (uint32_t i = 0; i < r->p->boxes; i++)
        if (r->score[i] >= r->p->least_score) r->heap[r->candidates++] = (uint16_t)i;
    for (uint32_t i = r->candidates / 2; i-- > 0;) sink(r, i);
}

/* Centre of a box along one axis. */
static float centre(float encoded, float scale, float anchor, float size) {
    const te_twofold moved = te_multiply_twofold(te_divide_twofold(encoded, scale), (te_twofold){size, 0.0f});
    return te_add_twofold(moved, (te_twofold){anchor, 0.0f}).high;
}

static float half_size(float encoded, float scale, float size) {
    int32_t power;
    const te_twofold factor = te_exp_twofold(te_divide_twofold(encoded, scale), &power);
    return te_scaled_f32(te_multiply_twofold(factor, (te_twofold){size, 0.0f}).high, power - 1);
}

static void decode(const te_detection_params *p, const void *encodings, uint32_t box, float *corners) {
    const float *const anchor = p->anchors + 4 * box;
    float encoded[4];
    for (uint32_t i = 0; i < 4; i++) encoded[i] = value_at(&p->encodings, encodings, box * p->row + i);
    for (uint32_t i = 0; i < 2; i++) {
        const float middle = centre(encoded[i], p->scales[i], anchor[i], anchor[i + 2]);
        const float half = half_size(encoded[i + 2], p->scales[i + 2], anchor[i + 2]);
        corners[i] = middle - half;
        corners[i + 2] = middle + half;
    }
}

static float area(const float *box) {
    return (box[2] - box[0]) * (box[3] - box[1]);
}

/* Length that both boxes have in common along one axis. */
static float common(const float *a, const float *b) {
    const float low = a[0] < b[0] ? b[0] : a[0], high = b[2] < a[2] ? b[2] : a[2], length = high - low;
    return length < 0.0f ? 0.0f : length;
}

/* Intersection over union. */
static float overlap(const float *a, const float *b) {
    const float first = area(a), second = area(b);
    if (first <= 0.0f || second <= 0.0f) return 0.0f;
    const float both = common(a, b) * common(a + 1, b + 1);
    return both / (first + second - both);
}

/* The next box that none of those found lies over; -1: there is none. */
static int32_t next_box(ranking *r) {
    float *const corners = r->kept + r->apart * r->found;
    while (r->candidates) {
        const uint32_t box = r->heap[0];
        r->heap[0] = r->heap[--r->candidates];
        if (r->candidates) sink(r, 0);
        decode(r->p, r->encodings, box, corners);
        uint32_t i = 0;
        while (i < r->found && !(overlap(r->kept + r->apart * i, corners) > r->p->most_overlap)) i++;
        if (i == r->found) {
            r->found++;
            return (int32_t)box;
        }
    }
    return -1;
}

/* The class of a box that follows `last`, in the order of their scores; -1: the first. */
static int32_t next_class(const te_detection_params *p, const void *scores, uint32_t box, int32_t last) {
    const uint32_t first = box * p->columns + p->background;
    const float limit = last < 0 ? 0.0f : value_at(&p->scores, scores, first + (uint32_t)last);
    int32_t best = -1;
    float most = 0.0f;
    for (int32_t i = 0; i < p->columns - p->background; i++) {
        const float score = value_at(&p->scores, scores, first + (uint32_t)i);
        const int behind = last < 0 || score < limit || (score == limit && i > last);
        if (behind && (best < 0 || score > most)) {
            best = i;
            most = score;
        }
    }
    return best;
}

/* All classes together: a box counts by its best one. */
static uint32_t fast(ranking *r, const void *scores, float *corners, float *classes, float *found) {
    const te_detection_params *const p = r->p;
    const uint32_t number = (uint32_t)p->columns - p->background;
    const uint32_t listed = p->per_box < number ? p->per_box : number;
    for (uint32_t box = 0; box < p->boxes; box++) {
        const uint32_t best = (uint32_t)next_class(p, scores, box, -1);
        r->score[box] = value_at(&p->scores, scores, box * p->columns + p->background + best);
    }
    rank(r);
    r->kept = corners;
    r->apart = 4u * p->per_box;
    while (r->found < p->detections) {
        const uint32_t at = r->found * p->per_box;
        const int32_t box = next_box(r);
        if (box < 0) break;
        uint32_t i = at;
        for (int32_t class = -1; i < at + listed; i++) {
            class = next_class(p, scores, (uint32_t)box, class);
            if (class < 0) break; /* what is left is no number */
            classes[i] = (float)class;
            found[i] =
                value_at(&p->scores, scores, (uint32_t)box * p->columns + p->background + (uint32_t) class);
            if (i > at) memcpy(corners + 4 * i, corners + 4 * at, 4 * sizeof *corners);
        }
        for (i = 4 * i; i < 4 * (at + p->per_box); i++) corners[i] = 0.0f;
    }
    return r->found;
}

/* Class by class; the best of all classes are kept in order. */
static uint32_t regular(ranking *r, const void *scores, float *corners, float *classes, float *found) {
    const te_detection_params *const p = r->p;
    uint32_t total = 0;
    r->apart = 4;
    for (uint32_t class = 0; class < (uint32_t)p->columns - p->background; class ++) {
        for (uint32_t box = 0; box < p->boxes; box++)
            r->score[box] = value_at(&p->scores, scores, box * p->columns + p->background + class);
        rank(r);
        r->found = 0;
        while (r->found < p->per_class) {
            const int32_t box = next_box(r);
            if (box < 0) break;
            const float score = r->score[box];
            uint32_t at = total;
            while (at > 0 && found[at - 1] < score) at--;
            if (at == p->detections) break; /* all that follow are no better */
            if (total < p->detections) total++;
            const uint32_t behind = total - 1 - at;
            memmove(found + at + 1, found + at, behind * sizeof *found);
            memmove(classes + at + 1, classes + at, behind * sizeof *classes);
            memmove(corners + 4 * at + 4, corners + 4 * at, 4 * behind * sizeof *corners);
            found[at] = score;
            classes[at] = (float)class;
            memcpy(corners + 4 * at, r->kept + 4 * (r->found - 1), 4 * sizeof *corners);
        }
    }
    return total;
}

void te_detection_f32(const te_detection_params *p, const void *encodings, const void *scores, float *corners,
                      float *classes, float *found, float *count, void *scratch) {
    const uint32_t places = (uint32_t)p->detections * p->per_box;
    float *const score = scratch;
    uint16_t *const heap = (uint16_t *)(score + p->boxes);
    ranking r = {p, encodings, score, heap, 0, (float *)(void *)(heap + (p->boxes + 1u) / 2 * 2), 4, 0};
    for (uint32_t i = 0; i < places; i++) classes[i] = found[i] = 0.0f;
    const uint32_t total = (p->per_class ? regular : fast)(&r, scores, corners, classes, found);
    const uint32_t listed = p->per_class ? total : total * p->per_box;
    for (uint32_t i = 4 * listed; i < 4 * places; i++) corners[i] = 0.0f;
    *count = (float)total;
}
