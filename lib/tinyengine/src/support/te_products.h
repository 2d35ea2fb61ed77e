/* Products of two sets of lines of activations, both of which the device computes.
 *
 * A line is as long as the matrices are deep. Its values, less the zero point, lie packed as int16 in groups of four: a
 * word of values 0 and 2, one of values 1 and 3, zeros behind the last one. Two neighbouring lines are a pair, and
 * take turns: four words per group. An odd number of lines is made even by packing the last but one twice.
 *
 * BUDGET of the inner loops on Armv7E-M: 10 instructions per group and tile of 2 x 2 lines (16 products), 3 per 4 groups
 * behind the first 5, with rounding 25 per tile; 30 per pair of lines. Packing two lines side by side: 9 per 8 values;
 * four whose values lie side by side: 27 per 16. Doubling: 12 per 16.
 */
#ifndef TE_PRODUCTS_H
#define TE_PRODUCTS_H

#include "te_pairs.h"

/* Where `lines` lines of `depth` bytes lie: value k of line i at at[i * line + k * step]. One of the steps is 1. */
typedef struct te_lines_of {
    const int8_t *at;
    int32_t line, step;
    uint32_t depth;
    int32_t zero;
} te_lines_of;

static inline uint32_t te_groups(uint32_t depth) {
    return (depth + 3) / 4;
}

/* Lines first and first + 1 are a pair; writes `pairs` pairs of neighbouring lines, 4 * te_groups(depth) words each. */
void te_pack_lines(const te_lines_of *from, uint32_t first, uint32_t pairs, uint32_t *to);

/* `groups` groups of two lines that begin at x0 and x1, with the halves of `less` added. */
void te_pack_pair(const int8_t *x0, const int8_t *x1, uint32_t groups, uint32_t less, uint32_t *to);

/* `groups` groups of four lines side by side: values k of all four at x[k * step], with the halves of `less` added. Their
 * second pair begins `pair` words behind the first. */
void te_pack_four(const int8_t *x, int32_t step, uint32_t groups, uint32_t less, uint32_t *to, uint32_t pair);

/* One pair of lines times `pairs` pairs of others. */
typedef struct te_products_args {
    uint32_t *a;
    const uint32_t *b;
    uint32_t groups, pairs;
    void *y; /* products of the pair's first line with all others, those of its second one `stride` bytes */
    uint32_t stride; /* behind; of bytes both may be one line: then with a stride of 0 */
    int32_t m, c, e; /* of bytes: as te_round_exact takes them, for sums that are doubled already */
    /* Of bytes, unless x is null: `rows` pairs of lines, one after the other, each packed to `a` first as te_pack_pair does
     * it, from x and x + line; the next pair follows 2 * line behind, its products 2 * stride. */
    const int8_t *x;
    int32_t line;
    uint32_t less, rows;
} te_products_args;

/* y: int8, from doubled sums, so the values of one side must be packed doubled (te_double_lines). */
void te_products_s8(const te_products_args *args);

/* y: int32, the sums themselves. */
void te_products_s32(const te_products_args *args);

/* A multiple of four words. */
void te_double_lines(uint32_t *packed, uint32_t words);

#endif
