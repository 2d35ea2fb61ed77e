/* The real Fourier transform of te_rfft_stages.h for int16 and for int32. */
#include "tinyengine/te_rfft.h"

#include "../support/te_complex.h"
#include "../support/te_complex_wide.h"

#define PARAMS te_rfft_params
#define REAL int16_t
#define COMPLEX uint32_t
#define OF(name) te_complex_##name
#define NAMED(name) name##_s16
#include "../support/te_rfft_stages.h"

#undef PARAMS
#undef REAL
#undef COMPLEX
#undef OF
#undef NAMED
#define PARAMS te_rfft_wide_params
#define REAL int32_t
#define COMPLEX te_wide
#define OF(name) te_wide_##name
#define NAMED(name) name##_s32
#include "../support/te_rfft_stages.h"

void te_rfft_s16(const te_rfft_params *p, const int16_t *x, int16_t *y) {
    transform_s16(p, x, y);
}

void te_rfft_s32(const te_rfft_wide_params *p, const int32_t *x, int32_t *y) {
    transform_s32(p, x, y);
}
