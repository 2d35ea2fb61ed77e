#include "counter.h"

#if defined(BENCH_SYSTEM_COUNTER) || defined(__riscv)

void bench_counter_start(void) {
#ifdef BENCH_SYSTEM_COUNTER
    bench_timers[0] = 1; /* enabled */
#endif
}

/* If the upper word changed between its two readings, it is the second that belongs to a small lower word. */
static uint64_t count(counter_value at) {
    const uint32_t high = (at.coarse + (at.fine >> 31 ? 0 : 1)) / 2;
    return (uint64_t)high << 32 | at.fine;
}

uint64_t bench_counter_ticks(counter_value first, counter_value last) {
    return count(last) - count(first);
}

#else

#define TIMER_CTRL bench_timers[0]
#define TIMER_RELOAD bench_timers[2]
#define TIMER_ENABLE 1u

#define DUAL_LOAD bench_timers[0x2000 / 4]
#define DUAL_CONTROL bench_timers[0x2008 / 4]
#define DUAL_ENABLE (1u << 7)
#define DUAL_PRESCALE_256 (2u << 2)
#define DUAL_32_BIT (1u << 1)

void bench_counter_start(void) {
    DUAL_CONTROL = DUAL_PRESCALE_256 | DUAL_32_BIT; /* free running: after 0 comes 0xFFFFFFFF */
    DUAL_LOAD = 0xFFFFFFFFu;
    DUAL_CONTROL = DUAL_ENABLE | DUAL_PRESCALE_256 | DUAL_32_BIT;
    TIMER_RELOAD = 0xFFFFFFFFu;
    COUNTER_FINE = 0xFFFFFFFFu;
    TIMER_CTRL = TIMER_ENABLE;
}

uint64_t bench_counter_ticks(counter_value first, counter_value last) {
    const uint32_t fine = first.fine - last.fine; /* the true count modulo 2^32 */
    const uint64_t rough = (uint64_t)(first.coarse - last.coarse) * (COUNTER_PRESCALE / 2);
    /* The two differ by a multiple of 2^32 and by less than two coarse ticks:
     * round to the nearest multiple. */
    return (((rough - fine) + (1u << 31)) & ~(uint64_t)0xFFFFFFFFu) + fine;
}

#endif
