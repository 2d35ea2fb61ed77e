/* From samples of sound to what a network listens to, bit for bit as TFLite Micro's signal library computes it;
 * the transform between them is te_rfft.h. */
#ifndef TE_SIGNAL_H
#define TE_SIGNAL_H

#include "tinyengine/te_types.h"

TE_BEGIN_C

typedef struct te_signal_window_params {
    uint32_t rows, samples;
    const int16_t *window; /* [samples] */
    uint32_t shift;
} te_signal_window_params;

/* y = (x * window) >> shift, saturated. y may be x or lie before it. */
void te_signal_window_s16(const te_signal_window_params *p, const int16_t *x, int16_t *y);

typedef struct te_signal_window_wide_params {
    uint32_t rows, samples;
    const int32_t *window; /* [samples] */
    uint32_t shift;
} te_signal_window_wide_params;

/* The same in 32 bits. y may not overlap x. */
void te_signal_window_wide_s32(const te_signal_window_wide_params *p, const int16_t *x, int32_t *y);

typedef struct te_signal_scale_params {
    uint32_t samples;
    uint32_t skip_lowest; /* -32768 counts as nothing, and silence is shifted by 15; else it is not shifted */
} te_signal_scale_params;

/* y = x << *bits, the largest shift that no sample overflows by. y may be x or lie before it. */
void te_signal_scale_s16(const te_signal_scale_params *p, const int16_t *x, int16_t *y, int32_t *bits);

typedef struct te_signal_energy_params {
    uint32_t bins, start, end;
} te_signal_energy_params;

/* Squared magnitudes of complex numbers, zero before `start` and from `end` on. y may be x. */
void te_signal_energy_u32(const te_signal_energy_params *p, const int16_t *x, uint32_t *y);

/* Magnitudes of complex numbers to the nearest, zero before `start` and from `end` on. y may be x. */
void te_signal_magnitude_u32(const te_signal_energy_params *p, const int32_t *x, uint32_t *y);

typedef struct te_signal_bank_params {
    uint32_t channels;
    const uint16_t *sections; /* [channels + 1][2]: first energy, how many */
    const uint16_t *weights;  /* per energy of each section: weight for its channel, and for the next one */
} te_signal_bank_params;

/* Sums over overlapping bands; section 0 counts for channel 0 by its second weights alone. */
void te_signal_bank_u64(const te_signal_bank_params *p, const uint32_t *x, te_u64 *y);

typedef struct te_signal_root_params {
    uint32_t channels;
} te_signal_root_params;

/* Square roots to the nearest, shifted right by *shift. y may begin where x does, or before it. */
void te_signal_root_u32(const te_signal_root_params *p, const te_u64 *x, const int32_t *shift, uint32_t *y);

typedef struct te_signal_noise_params {
    uint32_t channels;
    uint16_t smoothing[2], rest[2]; /* weights of the signal and of the estimate, for even and odd channels */
    uint16_t least;                 /* of the signal that is left in any case */
    uint8_t smoothing_bits, bits;   /* that the estimate has more than the signal; fraction bits of weights */
    uint8_t clamp;                  /* the estimate is never more than the signal */
} te_signal_noise_params;

/* Takes a smoothed estimate of the noise off the signal. y may be x, next may be noise. */
void te_signal_noise_u32(const te_signal_noise_params *p, const uint32_t *x, const uint32_t *noise,
                         uint32_t *y, uint32_t *next);

typedef struct te_signal_gain_params {
    uint32_t channels, shift;
    const int16_t *gains; /* [125]: for 0, 1, 2, then parabolas for each power of two, four apart */
} te_signal_gain_params;

/* Gain control by channel: the louder the noise, the smaller the gain. y may be x or noise. */
void te_signal_gain_u32(const te_signal_gain_params *p, const uint32_t *x, const uint32_t *noise,
                        uint32_t *y);

typedef struct te_signal_log_params {
    uint32_t channels, scale, shift;
    const uint16_t *curve; /* [129]: log2(1 + n / 128) - n / 128, 16 fraction bits */
} te_signal_log_params;

/* y = scale * log(x << shift), at most 32767; 0 of 0 and 1. y may begin where x does, or before it. */
void te_signal_log_s16(const te_signal_log_params *p, const uint32_t *x, int16_t *y);

typedef struct te_signal_log_wide_params {
    te_signal_log_params of; /* shift 0, scale at most 1400 */
    uint32_t floor;
} te_signal_log_wide_params;

/* y = scale * log(x + floor), which is 1 or more. y may begin where x does, or before it. */
void te_signal_log_wide_s16(const te_signal_log_wide_params *p, const te_u64 *x, int16_t *y);

TE_END_C

#endif
