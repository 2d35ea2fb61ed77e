/* Complex numbers of two int32; as te_complex.h, with 31 fraction bits. Sums wrap. */
#ifndef TE_COMPLEX_WIDE_H
#define TE_COMPLEX_WIDE_H

#include "tinyengine/te_types.h"

typedef struct te_wide {
    int32_t real, imaginary;
} te_wide;

TE_INLINE int32_t te_wide_plus(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

TE_INLINE int32_t te_wide_minus(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

TE_INLINE int32_t te_wide_rounded(int64_t x) {
    return (int32_t)((x + (1 << 30)) >> 31);
}

TE_INLINE te_wide te_wide_of(int32_t real, int32_t imaginary) {
    const te_wide z = {real, imaginary};
    return z;
}

#define TE_WIDE(name, first, second)                                                                         \
    TE_INLINE te_wide te_wide_##name(te_wide a, te_wide b) {                                                 \
        return te_wide_of(first, second);                                                                    \
    }
TE_WIDE(add, te_wide_plus(a.real, b.real), te_wide_plus(a.imaginary, b.imaginary))
TE_WIDE(sub, te_wide_minus(a.real, b.real), te_wide_minus(a.imaginary, b.imaginary))
TE_WIDE(add_i, te_wide_minus(a.real, b.imaginary), te_wide_plus(a.imaginary, b.real))
TE_WIDE(sub_i, te_wide_plus(a.real, b.imaginary), te_wide_minus(a.imaginary, b.real))
TE_WIDE(mean, (int32_t)(((int64_t)a.real + b.real) >> 1),
        (int32_t)(((int64_t)a.imaginary + b.imaginary) >> 1))
TE_WIDE(mean_diff, (int32_t)(((int64_t)a.real - b.real) >> 1),
        (int32_t)(((int64_t)a.imaginary - b.imaginary) >> 1))
TE_WIDE(times, te_wide_rounded((int64_t)a.real *b.real - (int64_t)a.imaginary * b.imaginary),
        te_wide_rounded((int64_t)a.real *b.imaginary + (int64_t)a.imaginary * b.real))
TE_WIDE(join, a.real, b.imaginary)

TE_INLINE te_wide te_wide_divided(te_wide a, uint32_t by) {
    const int64_t factor = (int32_t)(INT32_MAX / by);
    return te_wide_of(te_wide_rounded(a.real * factor), te_wide_rounded(a.imaginary * factor));
}

TE_INLINE te_wide te_wide_swapped(te_wide a) {
    return te_wide_of(a.imaginary, a.real);
}

TE_INLINE te_wide te_wide_real(te_wide a) {
    return te_wide_of(a.real, 0);
}

TE_INLINE te_wide te_wide_conjugate(te_wide a) {
    return te_wide_of(a.real, te_wide_minus(0, a.imaginary));
}

TE_INLINE te_wide te_wide_load(const int32_t *at) {
    return te_wide_of(at[0], at[1]);
}

TE_INLINE void te_wide_store(int32_t *at, te_wide a) {
    at[0] = a.real;
    at[1] = a.imaginary;
}

#endif
