/* The instances of te_depthwise_map.h by the width of the input: ONE(kernel, width) for stride 1,
 * BY_2(kernel, width, padding in front) for stride 2.
 *
 * The compiler reads this list. For each width src/forward/depthwise_map has an assembly file, so that also a
 * linker that takes whole objects takes only the widths of a network. */
#ifndef TE_DEPTHWISE_MAP_LIST_H
#define TE_DEPTHWISE_MAP_LIST_H

/* clang-format off */
#define TE_DEPTHWISE_MAPS_2(ONE, BY_2) ONE(3, 2) ONE(5, 2) ONE(7, 2)
#define TE_DEPTHWISE_MAPS_3(ONE, BY_2) ONE(3, 3) ONE(5, 3) ONE(7, 3) \
    BY_2(3, 3, 1) BY_2(5, 3, 2) BY_2(7, 3, 3)
#define TE_DEPTHWISE_MAPS_4(ONE, BY_2) ONE(3, 4) ONE(5, 4) ONE(7, 4) \
    BY_2(3, 4, 0) BY_2(3, 4, 1) BY_2(5, 4, 1) BY_2(5, 4, 2) BY_2(7, 4, 2) BY_2(7, 4, 3)
#define TE_DEPTHWISE_MAPS_5(ONE, BY_2) ONE(3, 5) ONE(5, 5) ONE(7, 5) \
    BY_2(3, 5, 1) BY_2(5, 5, 2) BY_2(7, 5, 3)
#define TE_DEPTHWISE_MAPS_6(ONE, BY_2) ONE(3, 6) ONE(5, 6) ONE(7, 6) \
    BY_2(3, 6, 0) BY_2(3, 6, 1) BY_2(5, 6, 1) BY_2(5, 6, 2) BY_2(7, 6, 2) BY_2(7, 6, 3)
#define TE_DEPTHWISE_MAPS_7(ONE, BY_2) ONE(3, 7) ONE(5, 7) ONE(7, 7) \
    BY_2(3, 7, 1) BY_2(5, 7, 2) BY_2(7, 7, 3)
#define TE_DEPTHWISE_MAPS_8(ONE, BY_2) ONE(3, 8) ONE(5, 8) ONE(7, 8) \
    BY_2(3, 8, 0) BY_2(3, 8, 1) BY_2(5, 8, 1) BY_2(5, 8, 2) BY_2(7, 8, 2) BY_2(7, 8, 3)
#define TE_DEPTHWISE_MAPS_9(ONE, BY_2) ONE(3, 9) ONE(5, 9) ONE(7, 9) \
    BY_2(3, 9, 1) BY_2(5, 9, 2) BY_2(7, 9, 3)
#define TE_DEPTHWISE_MAPS_10(ONE, BY_2) ONE(3, 10) ONE(5, 10) ONE(7, 10) \
    BY_2(3, 10, 0) BY_2(3, 10, 1) BY_2(5, 10, 1) BY_2(5, 10, 2) BY_2(7, 10, 2) BY_2(7, 10, 3)
#define TE_DEPTHWISE_MAPS_11(ONE, BY_2) ONE(3, 11) ONE(5, 11) ONE(7, 11) \
    BY_2(3, 11, 1) BY_2(5, 11, 2) BY_2(7, 11, 3)
#define TE_DEPTHWISE_MAPS_12(ONE, BY_2) ONE(3, 12) ONE(5, 12) ONE(7, 12) \
    BY_2(3, 12, 0) BY_2(3, 12, 1) BY_2(5, 12, 1) BY_2(5, 12, 2) BY_2(7, 12, 2) BY_2(7, 12, 3)
#define TE_DEPTHWISE_MAPS_13(ONE, BY_2) ONE(3, 13) ONE(5, 13) ONE(7, 13) \
    BY_2(3, 13, 1) BY_2(5, 13, 2) BY_2(7, 13, 3)
#define TE_DEPTHWISE_MAPS_14(ONE, BY_2) ONE(3, 14) ONE(5, 14) ONE(7, 14) \
    BY_2(3, 14, 0) BY_2(3, 14, 1) BY_2(5, 14, 1) BY_2(5, 14, 2) BY_2(7, 14, 2) BY_2(7, 14, 3)
#define TE_DEPTHWISE_MAPS_16(ONE, BY_2) ONE(3, 16) ONE(5, 16) ONE(7, 16) \
    BY_2(3, 16, 0) BY_2(3, 16, 1) BY_2(5, 16, 1) BY_2(5, 16, 2) BY_2(7, 16, 2) BY_2(7, 16, 3)
#define TE_DEPTHWISE_MAPS_18(ONE, BY_2) ONE(3, 18) ONE(5, 18) ONE(7, 18) \
    BY_2(3, 18, 0) BY_2(3, 18, 1) BY_2(5, 18, 1) BY_2(5, 18, 2) BY_2(7, 18, 2) BY_2(7, 18, 3)
#define TE_DEPTHWISE_MAPS_20(ONE, BY_2) ONE(3, 20) ONE(5, 20) ONE(7, 20) \
    BY_2(3, 20, 0) BY_2(3, 20, 1) BY_2(5, 20, 1) BY_2(5, 20, 2) BY_2(7, 20, 2) BY_2(7, 20, 3)
#define TE_DEPTHWISE_MAPS_22(ONE, BY_2) ONE(3, 22) ONE(5, 22) ONE(7, 22) \
    BY_2(3, 22, 0) BY_2(3, 22, 1) BY_2(5, 22, 1) BY_2(5, 22, 2) BY_2(7, 22, 2) BY_2(7, 22, 3)
#define TE_DEPTHWISE_MAPS_24(ONE, BY_2) ONE(3, 24) ONE(5, 24) ONE(7, 24) \
    BY_2(3, 24, 0) BY_2(3, 24, 1) BY_2(5, 24, 1) BY_2(5, 24, 2) BY_2(7, 24, 2) BY_2(7, 24, 3)
#define TE_DEPTHWISE_MAPS_28(ONE, BY_2) ONE(3, 28) ONE(5, 28) ONE(7, 28) \
    BY_2(3, 28, 0) BY_2(3, 28, 1) BY_2(5, 28, 1) BY_2(5, 28, 2) BY_2(7, 28, 2) BY_2(7, 28, 3)
#define TE_DEPTHWISE_MAPS_32(ONE, BY_2) ONE(3, 32) ONE(5, 32) ONE(7, 32) \
    BY_2(3, 32, 0) BY_2(3, 32, 1) BY_2(5, 32, 1) BY_2(5, 32, 2) BY_2(7, 32, 2) BY_2(7, 32, 3)
#define TE_DEPTHWISE_MAPS_36(ONE, BY_2) ONE(3, 36) ONE(5, 36) ONE(7, 36) \
    BY_2(3, 36, 0) BY_2(3, 36, 1) BY_2(5, 36, 1) BY_2(5, 36, 2) BY_2(7, 36, 2) BY_2(7, 36, 3)
#define TE_DEPTHWISE_MAPS_40(ONE, BY_2) ONE(3, 40) ONE(5, 40) ONE(7, 40) \
    BY_2(3, 40, 0) BY_2(3, 40, 1) BY_2(5, 40, 1) BY_2(5, 40, 2) BY_2(7, 40, 2) BY_2(7, 40, 3)
#define TE_DEPTHWISE_MAPS_44(ONE, BY_2) ONE(3, 44) ONE(5, 44) ONE(7, 44) \
    BY_2(3, 44, 0) BY_2(3, 44, 1) BY_2(5, 44, 1) BY_2(5, 44, 2) BY_2(7, 44, 2) BY_2(7, 44, 3)
#define TE_DEPTHWISE_MAPS_48(ONE, BY_2) ONE(3, 48) ONE(5, 48) ONE(7, 48) \
    BY_2(3, 48, 0) BY_2(3, 48, 1) BY_2(5, 48, 1) BY_2(5, 48, 2) BY_2(7, 48, 2) BY_2(7, 48, 3)
#define TE_DEPTHWISE_MAPS(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_2(ONE, BY_2) TE_DEPTHWISE_MAPS_3(ONE, BY_2) TE_DEPTHWISE_MAPS_4(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_5(ONE, BY_2) TE_DEPTHWISE_MAPS_6(ONE, BY_2) TE_DEPTHWISE_MAPS_7(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_8(ONE, BY_2) TE_DEPTHWISE_MAPS_9(ONE, BY_2) TE_DEPTHWISE_MAPS_10(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_11(ONE, BY_2) TE_DEPTHWISE_MAPS_12(ONE, BY_2) TE_DEPTHWISE_MAPS_13(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_14(ONE, BY_2) TE_DEPTHWISE_MAPS_16(ONE, BY_2) TE_DEPTHWISE_MAPS_18(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_20(ONE, BY_2) TE_DEPTHWISE_MAPS_22(ONE, BY_2) TE_DEPTHWISE_MAPS_24(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_28(ONE, BY_2) TE_DEPTHWISE_MAPS_32(ONE, BY_2) TE_DEPTHWISE_MAPS_36(ONE, BY_2) \
    TE_DEPTHWISE_MAPS_40(ONE, BY_2) TE_DEPTHWISE_MAPS_44(ONE, BY_2) TE_DEPTHWISE_MAPS_48(ONE, BY_2)
/* clang-format on */

#endif
