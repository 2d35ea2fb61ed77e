/* Complex numbers of two int16 in a word, the real part in its low half. Sums wrap, as the halves do. */
#ifndef TE_COMPLEX_H
#define TE_COMPLEX_H

#include "te_pairs.h"

/* te_complex_add, _sub: a + b, a - b. _add_i, _sub_i: a + i b, a - i b. _mean, _mean_diff: half of a + b, of a - b,
 * rounded down. _times: a b with 15 fraction bits; parts of b are larger than -32768. */
#if TE_DSP
#define TE_COMPLEX(name, instruction)                                                                        \
    TE_INLINE uint32_t te_complex_##name(uint32_t a, uint32_t b) {                                           \
        return (uint32_t)__##instruction((int16x2_t)a, (int16x2_t)b);                                        \
    }
TE_COMPLEX(add, sadd16)
TE_COMPLEX(sub, ssub16)
TE_COMPLEX(add_i, sasx)
TE_COMPLEX(sub_i, ssax)
TE_COMPLEX(mean, shadd16)
TE_COMPLEX(mean_diff, shsub16)

TE_INLINE uint32_t te_complex_times(uint32_t a, uint32_t b) {
    const uint32_t real = (uint32_t)__smlsd((int16x2_t)a, (int16x2_t)b, 1 << 14);
    const uint32_t imaginary = (uint32_t)__smladx((int16x2_t)a, (int16x2_t)b, 1 << 14);
    return te_pack_high(real << 1, imaginary << 1);
}
#else
TE_INLINE uint32_t te_complex_of(int32_t real, int32_t imaginary) {
    return te_pack_low((uint32_t)real, (uint32_t)imaginary);
}

#define TE_COMPLEX(name, real, imaginary)                                                                    \
    TE_INLINE uint32_t te_complex_##name(uint32_t a, uint32_t b) {                                           \
        const int32_t ar = te_half(a, 0), ai = te_half(a, 1), br = te_half(b, 0), bi = te_half(b, 1);        \
        return te_complex_of(real, imaginary);                                                               \
    }
TE_COMPLEX(add, ar + br, ai + bi)
TE_COMPLEX(sub, ar - br, ai - bi)
TE_COMPLEX(add_i, ar - bi, ai + br)
TE_COMPLEX(sub_i, ar + bi, ai - br)
TE_COMPLEX(mean, (ar + br) >> 1, (ai + bi) >> 1)
TE_COMPLEX(mean_diff, (ar - br) >> 1, (ai - bi) >> 1)
TE_COMPLEX(times, (ar * br - ai * bi + (1 << 14)) >> 15, (ar * bi + ai * br + (1 << 14)) >> 15)
#endif

/* a divided by 2 or 4, to the nearest, as the product with 16383 or 8191 and 15 fraction bits. */
TE_INLINE uint32_t te_complex_divided(uint32_t a, uint32_t by) {
    const uint32_t factor = 32767 / by * 2;
    return te_pack_high((uint32_t)te_smlabb(a, factor, 1 << 15), (uint32_t)te_smlatb(a, factor, 1 << 15));
}

/* The low half of one number, the high half of another. */
TE_INLINE uint32_t te_complex_join(uint32_t real, uint32_t imaginary) {
    return (real & 0xffffu) | (imaginary & 0xffff0000u);
}

TE_INLINE uint32_t te_complex_swapped(uint32_t a) {
    return a >> 16 | a << 16;
}

/* Without its imaginary part. */
TE_INLINE uint32_t te_complex_real(uint32_t a) {
    return a & 0xffffu;
}

TE_INLINE uint32_t te_complex_conjugate(uint32_t a) {
    return te_complex_join(a, te_complex_sub(0, a));
}

TE_INLINE void te_store_word(void *at, uint32_t word) {
    memcpy(at, &word, sizeof word);
}

TE_INLINE uint32_t te_complex_load(const int16_t *at) {
    return te_load_word(at);
}

TE_INLINE void te_complex_store(int16_t *at, uint32_t a) {
    te_store_word(at, a);
}

#endif
