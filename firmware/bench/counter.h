/* Virtual time of the simulator: with a fixed time per instruction, an exact instruction counter. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

/* Where it lies says the linker script, as the table of cores has it (host/tinyengine/cores.py). */
extern volatile uint32_t bench_timers[];

#if defined(__riscv)
/* The core's count of instructions, in 64 bits: QEMU counts nanoseconds of its clock in its place. */
static inline uint32_t counter_low(void) {
    uint32_t value;
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, minstret\n\t.option pop"
                     : "=r"(value));
    return value;
}

static inline uint32_t counter_high(void) {
    uint32_t value;
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, minstreth\n\t.option pop"
                     : "=r"(value));
    return value;
}

#define COUNTER_FINE counter_low()
#define COUNTER_COARSE counter_high()
#elif defined(BENCH_SYSTEM_COUNTER)
/* The control frame of the SSE's system counter, which counts up in 64 bits. */
#define COUNTER_FINE bench_timers[0x08 / 4]
#define COUNTER_COARSE bench_timers[0x0C / 4]
#else
/* CMSDK timer 0 counts down in 32 bits; dual timer 1 counts down 256 times slower and tells how often the
 * first has wrapped. */
#define COUNTER_FINE bench_timers[1]
#define COUNTER_COARSE bench_timers[0x2004 / 4]
#define COUNTER_PRESCALE 256u
#endif

typedef struct counter_value {
    uint32_t fine, coarse; /* coarse is the sum of a reading before and one behind that of fine */
} counter_value;

static inline counter_value counter_now(void) {
    counter_value value;
    value.coarse = COUNTER_COARSE;
    value.fine = COUNTER_FINE;
    value.coarse += COUNTER_COARSE;
    return value;
}

void bench_counter_start(void);

/* Ticks of the first from `first` to `last`, which were read in this order. */
uint64_t bench_counter_ticks(counter_value first, counter_value last);

#endif
