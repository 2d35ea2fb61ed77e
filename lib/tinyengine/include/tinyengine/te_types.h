/* Types shared by all kernels.
 *
 * Tensors are dense; pictures lie as rows x columns x channels (HWC). Elements have the type of the kernel's
 * pointer, mostly int8: a quantized value q stands for scale * (q - zero). Parameter structs are constants that the compiler writes into flash; kernels keep no
 * state, allocate nothing, and have no globals.
 *
 * TE_PORTABLE, when defined, builds the portable C twin of every kernel even where the core has the DSP
 * extension (TE_DSP) or Helium (TE_MVE); both twins read the same packed constants and give the same bytes.
 */
#ifndef TE_TYPES_H
#define TE_TYPES_H

#include <stddef.h>
#include <stdint.h>

/* What a build defines (TE_PORTABLE; where networks have their memory), where it cannot do so on command lines. */
#ifdef __has_include
#if __has_include("te_config.h")
#include "te_config.h"
#endif
#endif

/* 10000 * major + 100 * minor + patch. Generated code wants the library of its own version. */
#define TE_VERSION 100

/* Around the declarations of every header: they are C also where C++ includes them. */
#ifdef __cplusplus
#define TE_BEGIN_C extern "C" {
#define TE_END_C }
#else
#define TE_BEGIN_C
#define TE_END_C
#endif

#if defined(__ARM_FEATURE_DSP) && !defined(TE_PORTABLE)
#define TE_DSP 1
#else
#define TE_DSP 0
#endif

#if defined(__ARM_FEATURE_MVE) && !defined(TE_PORTABLE)
#define TE_MVE 1
#else
#define TE_MVE 0
#endif

/* For what the inner loops call: out of line it would cost more than they do. */
#define TE_INLINE static inline __attribute__((always_inline))

/* Hides from the compiler where a pointer points. Generated loops get addresses in one array as constants, and GCC (12,
 * from -O1 on) may then derive one pointer from another that moves in smaller steps: `out` = 4 `in` - 3 `array`. It takes
 * what is stored there for memory of nobody, the function for one without effect, and drops its calls. */
#ifdef __GNUC__
#define TE_HIDE(pointer) __asm__("" : "+r"(pointer))
#else
#define TE_HIDE(pointer) (void)(pointer)
#endif

/* Tensors begin at multiples of four bytes. */
typedef uint64_t te_u64 __attribute__((aligned(4)));

/* Rows, columns, channels. */
typedef struct te_hwc {
    uint16_t h, w, c;
} te_hwc;

/* Sliding window: kernel, stride, dilation as (rows, columns), padding before the first row and column.
 * Padding after the last follows from the output's size. */
typedef struct te_window {
    uint16_t kh, kw, sh, sw, dh, dw, pad_top, pad_left;
} te_window;

/* Output quantization: real multiplier of channel c = multiplier[c] / 2^31 * 2^shift[c];
 * result = clamp(that * acc + zero, min, max). per_tensor != 0: one entry serves all channels. */
typedef struct te_requant {
    const int32_t *multiplier;
    const int8_t *shift;
    int16_t zero, min, max;
    uint16_t per_tensor;
} te_requant;

#endif
