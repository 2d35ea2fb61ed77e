/* Training of language models: host/tinyengine/reference/backward/language.py, operation by operation. */
#include "tinyengine/te_lm_learn.h"

#include "../support/te_exp.h"
#include "../support/te_lm_numbers.h"

#define STEP (1.0f / 4294967296.0f) /* of a matrix's multiplier */
#define LOGIT (1.0f / 4096.0f)      /* of a logit */
#define GAIN (1.0f / 32768.0f)      /* of a gain, and of a sigmoid */
#define SLOPE (1.0f / 2097152.0f)   /* of the step between two sigmoids, 1/64 of which is one of u */
#define OCTAVE (0.693147180559945f / 256.0f)
#define OUTPUT 16.0f /* attention's output, per value */

void te_lm_keep(const te_lm_keep_params *p, const int32_t *x, const int32_t *position, const int32_t *kept,
                int32_t *next) {
    const uint32_t bytes = 4 * p->width;
    if (next != kept) memcpy(next, kept, (size_t)bytes * p->tokens);
    memcpy(next + (uint32_t)*position * p->width, x, bytes);
}

/* ---- matrices: the gradient of what they are multiplied with ---- */

/* Of one column: a half of rows 0 and 1, one of rows 2 and 3. Odd rows are taken 256 times. */
TE_INLINE float column(float total, uint32_t low, uint32_t high, const float c[4]) {
    const int32_t zero = (int8_t)low, one = (int16_t)low - zero;
    const int32_t two = (int8_t)high, three = (int16_t)high - two;
    total = total + (float)zero * c[0];
    total = total + (float)one * c[1];
    total = total + (float)two * c[2];
    return total + (float)three * c[3];
}

static void transposed_w8(const te_lm_matrix_params *m, const float *dy, float *dx) {
    const uint32_t *w = m->weights;
    for (uint32_t q = 0; q < m->quads; q++, w += 4, dy += 4) {
        const int32_t *multipliers = (const int32_t *)(w + m->k);
        float c[4];
        for (uint32_t r = 0; r < 4; r++) c[r] = dy[r] * ((float)multipliers[r] * STEP);
        for (uint32_t i = 0; i < m->k; i += 2, w += 2) {
            dx[i] = column(dx[i], w[0], w[1], c);
            dx[i + 1] = column(dx[i + 1], w[0] >> 16, w[1] >> 16, c);
        }
    }
}

/* Of one column: a half of four rows. */
TE_INLINE float column_w4(float total, uint32_t half, const float c[4]) {
    total = total + (float)((int32_t)(half & 15) - 8) * c[0];
    total = total + (float)((int32_t)(half >> 4 & 15) - 8) * c[1];
    total = total + (float)((int32_t)(half >> 8 & 15) - 8) * c[2];
    return total + (float)((int16_t)half >> 12) * c[3];
}

static void transposed_w4(const te_lm_learn_matrix *m, const float *dy, float *dx) {
    const uint32_t *w = m->matrix.weights, k = m->matrix.k;
    for (uint32_t q = 0; q < m->matrix.quads; q++, dy += 4) {
        const uint32_t groups = (k + m->group - 1) / m->group;
        const int32_t *multipliers = (const int32_t *)(w + k / 2 + 2 * groups);
        float c[4];
        for (uint32_t r = 0; r < 4; r++) c[r] = dy[r] * ((float)multipliers[r] * (STEP / 16.0f));
        for (uint32_t first = 0; first < k; first += m->group) {
            const uint32_t count = k - first < m->group ? k - first : m->group;
            float own[4];
            for (uint32_t r = 0; r < 4; r++)
                own[r] = c[r] * (float)(int16_t)(w[count / 2 + r / 2] >> (r % 2 * 16));
            for (uint32_t i = 0; i < count; i += 2) {
                dx[first + i] = column_w4(dx[first + i], w[i / 2], own);
                dx[first + i + 1] = column_w4(dx[first + i + 1], w[i / 2] >> 16, own);
            }
            w += count / 2 + 2;
        }
        w += 4;
    }
}

/* dx[k] = the transposed matrix times dy. */
static void transposed(const te_lm_learn_matrix *m, const float *dy, float *dx) {
    for (uint32_t i = 0; i < m->matrix.k; i++) dx[i] = 0.0f;
    if (m->group)
        transposed_w4(m, dy, dx);
    else
        transposed_w8(&m->matrix, dy, dx);
}

/* y = the matrix times x, once more. */
static void again(const te_lm_learn_matrix *m, const int16_t *x, int32_t *y, void *stream) {
    if (m->group)
        te_lm_matrix_w4(&m->matrix, x, y, stream);
    else
        te_lm_matrix(&m->matrix, x, y);
}

/* ---- norms ---- */

/* dh: of what is behind the gains; dx gains the gradient of x, sums those of the gains. */
static void norm_gradient(const te_lm_learn_norm *n, const int32_t *x, const float *dh, float *sums,
                          float *dx) {
    const te_lm_scale to = te_lm_norm_measure(&n->norm, x);
    const float r = (float)to.factor * te_power_of_two(-to.right);
    float dot = 0.0f;
    sums += n->first;
    for (uint32_t i = 0; i < n->norm.width; i++) {
        const float g = dh[i] * ((float)n->norm.gains[i] * GAIN);
        dot = dot + g * (float)x[i];
        sums[i] = sums[i] + dh[i] * ((float)x[i] * r);
    }
    const float along = (dot * (r * r)) * n->spread;
    for (uint32_t i = 0; i < n->norm.width; i++) {
        const float g = dh[i] * ((float)n->norm.gains[i] * GAIN);
        dx[i] = dx[i] + r * (g - (float)x[i] * along);
    }
}

/* ---- loss ---- */

/* Exponentials of logits less the largest; returns their sum. */
static float exponentials(const int32_t *logits, uint32_t count, float *e, te_train_context *context) {
    uint32_t largest = 0;
    float total = 0.0f;
    for (uint32_t k = 0; k < count; k++) {
        if (logits[k] > logits[largest]) largest = k;
    }
    const float top = (float)logits[largest] * LOGIT;
    for (uint32_t k = 0; k < count; k++) {
        e[k] = te_exp_negative((float)logits[k] * LOGIT - top);
        total = total + e[k];
    }
    const float own = (float)logits[context->sample.label] * LOGIT - top;
    context->result.loss = context->result.loss + (te_log_positive(total) - own);
    context->result.predicted = (uint16_t)largest;
    return total;
}

void te_lm_loss(const te_lm_loss_params *p, const int32_t *logits, const int32_t *x, const int32_t *position,
                const float *sums, const float *gradient, float *sums_next, float *gradient_next,
                void *scratch, te_train_context *context) {
    const uint32_t tokens = 4 * p->classifier.matrix.quads, width = p->norm.norm.width;
    float *e = scratch, *dh = e + tokens;
    const float total = exponentials(logits, tokens, e, context);
    if (context->judged) return;
    if (sums_next != sums) memcpy(sums_next, sums, 4 * (size_t)p->count);
    if (gradient_next != gradient) memcpy(gradient_next, gradient, 4 * (size_t)p->tokens * width);
    float *bias = sums_next + p->first, *row = gradient_next + (uint32_t)*position * width;
    for (uint32_t k = 0; k < tokens; k++) {
        const float d = e[k] / total - (k == context->sample.label ? 1.0f : 0.0f);
        bias[k] = bias[k] + d;
        e[k] = d * LOGIT;
    }
    transposed(&p->classifier, e, dh);
    for (uint32_t i = 0; i < width; i++) row[i] = 0.0f;
    norm_gradient(&p->norm, x, dh, sums_next, row);
}

/* ---- a block ---- */

/* Where everything lies in scratch memory, and what the functions below share. */
typedef struct block {
    const te_lm_block_params *p;
    const int8_t *keys, *values;
    float *dkeys, *dvalues; /* [token][channel of all key heads] */
    float *chances, *dchances;
    float *dx, *dy, *dhidden;
    int32_t *y;
    int16_t *h, *angles, *q;
    void *stream;
    uint32_t width, key_width, head;
} block;

static int inside(int32_t x, int32_t limit) {
    return x >= -limit && x < limit;
}

static int within(int32_t x, int32_t limit) {
    return x > -limit && x < limit - 1;
}

/* dy (of u, then of g) from b->dhidden. */
static void gate_gradient(const block *b) {
    const te_lm_gate_params *p = &b->p->gate;
    const float step = (float)p->multiplier * STEP;
    for (uint32_t i = 0; i < p->width; i++) {
        const int32_t u = te_saturate(b->y[i], 16), g = te_saturate(b->y[p->width + i], 16);
        const int32_t at = te_saturate(u, 14) + 8192, low = p->sigmoid[at >> 6];
        const int32_t rise = p->sigmoid[(at >> 6) + 1] - low;
        const int32_t sigmoid = low + ((rise * (at & 63) + 32) >> 6);
        const int32_t silu = (u * sigmoid + (1 << 14)) >> 15;
        const int32_t hidden = te_saturate(te_smmulr(silu * g, p->multiplier), 12);
        const float d = within(hidden, 2048) ? b->dhidden[i] * step : 0.0f;
        const float slope = inside(u, 8192) ? (float)rise * SLOPE : 0.0f;
        const float by_u = (float)sigmoid * GAIN + (float)u * slope;
        b->dy[i] = inside(b->y[i], 32768) ? (d * (float)g) * by_u : 0.0f;
        b->dy[p->width + i] = inside(b->y[p->width + i], 32768) ? d * (float)silu : 0.0f;
    }
}

static void feed_gradient(const block *b, const int32_t *x, float *sums, float *row) {
    const te_lm_block_params *p = b->p;
    te_lm_norm(&p->feed_norm.norm, x, b->h);
    again(&p->feed_in, b->h, b->y, b->stream);
    transposed(&p->feed_out, row, b->dhidden);
    gate_gradient(b);
    transposed(&p->feed_in, b->dy, b->dx);
    norm_gradient(&p->feed_norm, x, b->dx, sums, row);
}

/* Channel i of a key lies there. */
static uint32_t key_place(uint32_t i) {
    return (i & ~3u) | (i & 1) << 1 | (i >> 1 & 1);
}

static uint32_t value_place(uint32_t slot, uint32_t i, uint32_t head) {
    return slot / 2 * 2 * head + i / 2 * 4 + slot % 2 * 2 + i % 2;
}

/* What a head gives to each of the slots up to `now`, of 1. */
static void chances(const block *b, const int16_t *q, const int8_t *keys, uint32_t now) {
    int32_t largest = -32768;
    int32_t *scores = (int32_t *)(void *)b->dchances;
    for (uint32_t slot = 0; slot <= now; slot++) {
        int32_t sum = 0;
        for (uint32_t i = 0; i < b->head; i++) sum += q[i] * keys[slot * b->head + key_place(i)];
        scores[slot] = te_saturate(sum >> 4, 16);
        if (scores[slot] > largest) largest = scores[slot];
    }
    uint32_t total = 0;
    for (uint32_t slot = 0; slot <= now; slot++) {
        const uint32_t distance = (uint32_t)(largest - scores[slot]), octaves = distance >> 8;
        scores[slot] =
            (int32_t)(octaves > 15 ? 0 : (uint32_t)b->p->attention.exponentials[distance & 255] >> octaves);
        total += (uint32_t)scores[slot];
    }
    const float share = 1.0f / (float)total;
    for (uint32_t slot = 0; slot <= now; slot++) b->chances[slot] = (float)scores[slot] * share;
}

/* From the gradient of what a head says (dout) to those of its query (dq) and of keys and values. */
static void head_gradient(const block *b, uint32_t h, uint32_t now, const float *dout, float *dq) {
    const te_lm_rotate_params *p = &b->p->rotate;
    const uint32_t head = b->head, group = h / (p->heads / p->key_heads);
    const int16_t *q = b->q + h * head;
    const int8_t *keys = b->keys + group * p->ring.window * head;
    const int8_t *values = b->values + group * p->ring.window * head;
    chances(b, q, keys, now);
    float mean = 0.0f;
    for (uint32_t slot = 0; slot <= now; slot++) {
        float d = 0.0f;
        for (uint32_t i = 0; i < head; i++) d = d + dout[i] * (float)values[value_place(slot, i, head)];
        b->dchances[slot] = d;
        mean = mean + b->chances[slot] * d;
    }
    for (uint32_t i = 0; i < head; i++) dq[i] = 0.0f;
    for (uint32_t slot = 0; slot <= now; slot++) {
        const float score = (b->chances[slot] * (b->dchances[slot] - mean)) * OCTAVE;
        const float share = b->chances[slot] * OUTPUT;
        float *dkey = b->dkeys + slot * b->key_width + group * head;
        float *dvalue = b->dvalues + slot * b->key_width + group * head;
        for (uint32_t i = 0; i < head; i++) {
            dq[i] = dq[i] + score * (float)keys[slot * head + key_place(i)];
            dkey[i] = dkey[i] + score * (float)q[i];
            dvalue[i] = dvalue[i] + share * dout[i];
        }
    }
}

/* d (of a turned pair, in place) becomes that of the pair before: y. */
static void turn_back(const int16_t *angle, const int32_t *multipliers, const int32_t *y, float *d) {
    const float a = d[0] * ((float)multipliers[0] * STEP), c = d[1] * ((float)multipliers[1] * STEP);
    const float cosine = (float)angle[0], sine = (float)angle[1];
    d[0] = inside(y[0], 32768) ? a * cosine + c * sine : 0.0f;
    d[1] = inside(y[1], 32768) ? c * cosine - a * sine : 0.0f;
}

/* dy of a token: of its queries, which lie there as they were turned, its key and its value. */
static void turned_gradient(const block *b, uint32_t now) {
    const te_lm_rotate_params *p = &b->p->rotate;
    const uint32_t head = b->head, window = p->ring.window;
    for (uint32_t i = 0; i < b->width; i += 2) {
        for (uint32_t k = i; k < i + 2; k++) b->dy[k] = within(b->q[k], 32768) ? b->dy[k] : 0.0f;
        turn_back(b->angles + i % head, p->query_multipliers + i, b->y + i, b->dy + i);
    }
    float *dkey = b->dy + b->width, *dvalue = dkey + b->key_width;
    for (uint32_t i = 0; i < b->key_width; i++) {
        const uint32_t ring = i / head * window * head, channel = i % head;
        const int32_t key = b->keys[ring + now * head + key_place(channel)];
        const int32_t value = b->values[ring + value_place(now, channel, head)];
        dkey[i] = within(key, 128) ? b->dkeys[now * b->key_width + i] : 0.0f;
        dvalue[i] = within(value, 128) ? b->dvalues[now * b->key_width + i] : 0.0f;
    }
    for (uint32_t i = 0; i < b->key_width; i += 2)
        turn_back(b->angles + i % head, p->key_multipliers + i, b->y + b->width + i, dkey + i);
}

/* The query of a token, as it was turned. */
static void turn_query(const block *b) {
    const te_lm_rotate_params *p = &b->p->rotate;
    for (uint32_t i = 0; i < b->width; i += 2) {
        const int16_t *angle = b->angles + i % b->head;
        const int32_t first = te_saturate(b->y[i], 16), second = te_saturate(b->y[i + 1], 16);
        const int32_t a = first * angle[0] - second * angle[1], c = first * angle[1] + second * angle[0];
        b->q[i] = (int16_t)te_saturate(te_smmulr(a, p->query_multipliers[i]), 16);
        b->q[i + 1] = (int16_t)te_saturate(te_smmulr(c, p->query_multipliers[i + 1]), 16);
    }
}

/* Later tokens come before: they have given their part to this one's key and value. */
static void attention_gradient(const block *b, const int32_t *x, uint32_t now, float *sums, float *row) {
    const te_lm_block_params *p = b->p;
    const int32_t position = (int32_t)now;
    int32_t following;
    te_lm_norm(&p->attention_norm.norm, x, b->h);
    again(&p->attention_in, b->h, b->y, b->stream);
    te_lm_position(&p->position, &position, b->angles, &following);
    turn_query(b);
    transposed(&p->attention_out, row, b->dx);
    for (uint32_t h = 0; h < p->rotate.heads; h++)
        head_gradient(b, h, now, b->dx + h * b->head, b->dy + h * b->head);
    turned_gradient(b, now);
    transposed(&p->attention_in, b->dy, b->dx);
    norm_gradient(&p->attention_norm, x, b->dx, sums, row);
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

/* The next `count` numbers of 4 bytes. */
static void *take(uint32_t **scratch, uint32_t count) {
    uint32_t *taken = *scratch;
    *scratch += count;
    return taken;
}

void te_lm_block_gradient(const te_lm_block_params *p, const void *const *inputs, void *nothing,
                          void *scratch, te_train_context *context) {
    (void)nothing;
    (void)context;
    const uint32_t width = p->attention_norm.norm.width, head = p->rotate.head;
    const uint32_t key_width = p->rotate.key_heads * head, variants = p->rotate.ring.sinks ? 3 : 2;
    const uint32_t rows = larger(2 * p->gate.width, width + 2 * key_width);
    const uint32_t count = (uint32_t) * (const int32_t *)inputs[TE_LM_POSITION];
    const int32_t *input = inputs[TE_LM_INPUT], *middle = inputs[TE_LM_MIDDLE];
    float *sums = (float *)(uintptr_t)inputs[TE_LM_SUMS],
          *gradient = (float *)(uintptr_t)inputs[TE_LM_GRADIENT];
    uint32_t *top = scratch;
    block b = {.p = p, .keys = inputs[TE_LM_KEYS], .values = inputs[TE_LM_VALUES], .width = width};
    b.key_width = key_width;
    b.head = head;
    b.dkeys = take(&top, p->tokens * key_width);
    b.dvalues = take(&top, p->tokens * key_width);
    b.chances = take(&top, p->tokens);
    b.dchances = take(&top, p->tokens);
    b.dx = take(&top, width);
    b.dy = take(&top, rows);
    b.dhidden = take(&top, p->gate.padded);
    b.y = take(&top, rows);
    b.h = take(&top, width / 2);
    b.q = take(&top, width / 2);
    b.angles = take(&top, variants * head / 2);
    b.stream = top;
    for (uint32_t i = 0; i < count * key_width; i++) b.dkeys[i] = b.dvalues[i] = 0.0f;
    for (uint32_t now = count; now-- > 0;) {
        float *row = gradient + now * width;
        feed_gradient(&b, middle + now * width, sums, row);
        attention_gradient(&b, input + now * width, now, sums, row);
    }
}

/* ---- the update ---- */

void te_lm_update(const te_lm_update_params *p, const float *sums, void *nothing, te_train_context *context) {
    (void)nothing;
    for (uint32_t k = 0; k < p->count; k++) {
        const te_lm_update_part *part = p->parts + k;
        const float factor = context->rate * part->scaling;
        for (uint32_t i = 0; i < part->count; i++) {
            const uint32_t index = part->first + i;
            float d = sums[index] * factor;
            if (!te_gather(context, index, &d)) continue;
            if (part->wide) {
                int32_t *value = (int32_t *)part->values + i;
                *value = te_update_bias(*value, part->limit, d, context->key, index);
            } else {
                int16_t *value = (int16_t *)part->values + i;
                *value = (int16_t)te_update_bias(*value, part->limit, d, context->key, index);
            }
        }
    }
}
