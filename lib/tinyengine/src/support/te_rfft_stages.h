/* Real Fourier transform: a first stage that takes the samples in its order, stages of radix 4 in place, and the
 * step from the transform of pairs to that of single samples.
 *
 * te_rfft.c includes this once for each type of samples, with PARAMS, REAL (a sample), COMPLEX (two of them), OF(name)
 * (arithmetic of those) and NAMED(name) (functions of its own). */

/* Pair number i of the samples. */
TE_INLINE COMPLEX NAMED(samples_at)(const REAL *x, uint32_t i, uint32_t samples) {
    if (2 * i + 1 < samples) return OF(load)(x + 2 * i);
    const REAL last[2] = {2 * i < samples ? x[2 * i] : 0, 0};
    return OF(load)(last);
}

/* Numbers a, b, c, d at y, each `apart` behind the one before it: those without twiddles. */
TE_INLINE void NAMED(butterfly)(REAL *y, uint32_t apart, COMPLEX a, COMPLEX b, COMPLEX c, COMPLEX d) {
    const COMPLEX even = OF(add)(a, c), odd = OF(sub)(a, c);
    const COMPLEX sum = OF(add)(b, d), difference = OF(sub)(b, d);
    OF(store)(y, OF(add)(even, sum));
    OF(store)(y + 2 * apart, OF(sub_i)(odd, difference));
    OF(store)(y + 4 * apart, OF(sub)(even, sum));
    OF(store)(y + 6 * apart, OF(add_i)(odd, difference));
}

/* Its twiddles are 1, which leaves numbers of 15 bits as they are. */
static void NAMED(first_stage)(const PARAMS *p, const REAL *x, REAL *y) {
    const uint32_t n = p->length / p->radix, samples = p->samples;
    if (p->radix == 2) {
        for (uint32_t g = 0; g < n; g++, y += 4) {
            const uint32_t i = p->first[g];
            const COMPLEX a = OF(divided)(NAMED(samples_at)(x, i, samples), 2);
            const COMPLEX b = OF(divided)(NAMED(samples_at)(x, i + n, samples), 2);
            OF(store)(y, OF(add)(a, b));
            OF(store)(y + 2, OF(sub)(a, b));
        }
        return;
    }
    for (uint32_t g = 0; g < n; g++, y += 8) {
        const uint32_t i = p->first[g];
        NAMED(butterfly)
        (y, 1, OF(divided)(NAMED(samples_at)(x, i, samples), 4),
         OF(divided)(NAMED(samples_at)(x, i + n, samples), 4),
         OF(divided)(NAMED(samples_at)(x, i + 2 * n, samples), 4),
         OF(divided)(NAMED(samples_at)(x, i + 3 * n, samples), 4));
    }
}

/* Transforms of 4 * quarter numbers from four of a quarter; the twiddles of one place serve all of them. */
static const REAL *NAMED(stage)(uint32_t length, uint32_t quarter, const REAL *twiddles, REAL *y) {
    for (uint32_t k = 0; k < quarter; k++, twiddles += 6) {
        const COMPLEX t1 = OF(load)(twiddles), t2 = OF(load)(twiddles + 2), t3 = OF(load)(twiddles + 4);
        REAL *const end = y + 2 * length;
        for (REAL *at = y + 2 * k; at < end; at += 8 * quarter) {
            const COMPLEX a = OF(divided)(OF(load)(at), 4);
            const COMPLEX b = OF(divided)(OF(load)(at + 2 * quarter), 4);
            const COMPLEX c = OF(divided)(OF(load)(at + 4 * quarter), 4);
            const COMPLEX d = OF(divided)(OF(load)(at + 6 * quarter), 4);
            NAMED(butterfly)(at, quarter, a, OF(times)(b, t1), OF(times)(c, t2), OF(times)(d, t3));
        }
    }
    return twiddles;
}

/* y[k] and y[length - k] from the two that lie there. */
static void NAMED(split)(uint32_t length, const REAL *twiddles, REAL *y) {
    const COMPLEX half = OF(divided)(OF(load)(y), 2), turned = OF(swapped)(half);
    OF(store)(y, OF(real)(OF(add)(half, turned)));
    OF(store)(y + 2 * length, OF(real)(OF(sub)(half, turned)));
    REAL *low = y + 2, *high = y + 2 * length - 2;
    for (; low <= high; low += 2, high -= 2, twiddles += 2) {
        const COMPLEX a = OF(divided)(OF(load)(low), 2);
        const COMPLEX b = OF(divided)(OF(conjugate)(OF(load)(high)), 2);
        const COMPLEX both = OF(add)(a, b);
        const COMPLEX apart = OF(times)(OF(sub)(a, b), OF(load)(twiddles));
        OF(store)(low, OF(mean)(both, apart));
        OF(store)(high, OF(join)(OF(mean_diff)(both, apart), OF(mean_diff)(apart, both)));
    }
}

static void NAMED(transform)(const PARAMS *p, const REAL *x, REAL *y) {
    for (uint32_t row = 0; row < p->rows; row++, x += p->samples, y += 2 * p->length + 2) {
        NAMED(first_stage)(p, x, y);
        const REAL *twiddles = p->twiddles;
        for (uint32_t quarter = p->radix; quarter < p->length; quarter *= 4)
            twiddles = NAMED(stage)(p->length, quarter, twiddles, y);
        NAMED(split)(p->length, p->split, y);
    }
}
