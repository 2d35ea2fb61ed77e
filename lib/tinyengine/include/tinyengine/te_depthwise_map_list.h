/* The instances of te_depthwise_map.h: ONE(kernel, width) for stride 1, BY_2(kernel, width, padding in front)
 * for stride 2, with the widths of their inputs. */
#ifndef TE_DEPTHWISE_MAP_LIST_H
#define TE_DEPTHWISE_MAP_LIST_H

/* clang-format off */
#define TE_DEPTHWISE_MAP_WIDTHS(ONE, k) \
    ONE(k, 2) ONE(k, 3) ONE(k, 4) ONE(k, 5) ONE(k, 6) ONE(k, 7) ONE(k, 8) ONE(k, 9) ONE(k, 10) ONE(k, 11) \
    ONE(k, 12) ONE(k, 13) ONE(k, 14) ONE(k, 16) ONE(k, 18) ONE(k, 20) ONE(k, 22) ONE(k, 24) \
    ONE(k, 28) ONE(k, 32) ONE(k, 36) ONE(k, 40) ONE(k, 44) ONE(k, 48)
#define TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, k, p) \
    BY_2(k, 4, p) BY_2(k, 6, p) BY_2(k, 8, p) BY_2(k, 10, p) BY_2(k, 12, p) BY_2(k, 14, p) BY_2(k, 16, p) \
    BY_2(k, 18, p) BY_2(k, 20, p) BY_2(k, 22, p) BY_2(k, 24, p) BY_2(k, 28, p) BY_2(k, 32, p) BY_2(k, 36, p) \
    BY_2(k, 40, p) BY_2(k, 44, p) BY_2(k, 48, p)
#define TE_DEPTHWISE_MAP_ODD_WIDTHS(BY_2, k, p) \
    BY_2(k, 3, p) BY_2(k, 5, p) BY_2(k, 7, p) BY_2(k, 9, p) BY_2(k, 11, p) BY_2(k, 13, p)
#define TE_DEPTHWISE_MAPS(ONE, BY_2) \
    TE_DEPTHWISE_MAP_WIDTHS(ONE, 3) TE_DEPTHWISE_MAP_WIDTHS(ONE, 5) TE_DEPTHWISE_MAP_WIDTHS(ONE, 7) \
    TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, 3, 0) TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, 3, 1) \
    TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, 5, 1) TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, 5, 2) \
    TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, 7, 2) TE_DEPTHWISE_MAP_EVEN_WIDTHS(BY_2, 7, 3) \
    TE_DEPTHWISE_MAP_ODD_WIDTHS(BY_2, 3, 1) TE_DEPTHWISE_MAP_ODD_WIDTHS(BY_2, 5, 2) \
    TE_DEPTHWISE_MAP_ODD_WIDTHS(BY_2, 7, 3)
/* clang-format on */

#endif
