/* Fourier transform of real int16 and int32 samples, bit for bit as kissfft computes it in 16 and in 32 bits. */
#ifndef TE_RFFT_H
#define TE_RFFT_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

/* Pairs of samples count as complex numbers, of which `length` are transformed: a power of two. Complex constants are
 * real and imaginary part in turn, 15 fraction bits. */
typedef struct te_rfft_params {
    uint32_t rows, samples;  /* transforms, and what each of them has; zeros follow up to 2 * length */
    uint32_t length;         /* 2 .. 8192 */
    uint32_t radix;          /* of the first stage, 2 or 4; all others have 4 */
    const uint16_t *first;   /* [length / radix]: the first input of each transform of the first stage */
    const int16_t *twiddles; /* of the stages after the first: [size / 4][3] numbers for each */
    const int16_t *split;    /* [length / 2] numbers: from the complex transform to the real one */
} te_rfft_params;

/* y: length + 1 complex numbers per row, 1 / (2 * length) of the transform. It may not overlap x. */
void te_rfft_s16(const te_rfft_params *p, const int16_t *x, int16_t *y);

/* The same of int32, with constants of 31 fraction bits. */
typedef struct te_rfft_wide_params {
    uint32_t rows, samples, length, radix;
    const uint16_t *first;
    const int32_t *twiddles, *split;
} te_rfft_wide_params;

void te_rfft_s32(const te_rfft_wide_params *p, const int32_t *x, int32_t *y);

TE_END_C

#endif
