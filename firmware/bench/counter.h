/* Virtual time of the simulator: with a fixed time per instruction, an exact instruction counter. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

/* CMSDK timer 0 counts down at 25 MHz in 32 bits; dual timer 1 counts down 256 times slower and tells how
 * often the first has wrapped (the memory map is that of Arm's MPS2 images AN385/AN386/AN500). */
#define COUNTER_FINE (*(volatile uint32_t *)0x40000004u)
#define COUNTER_COARSE (*(volatile uint32_t *)0x40002004u)
#define COUNTER_PRESCALE 256u

typedef struct counter_value {
    uint32_t fine, coarse;
} counter_value;

void counter_start(void);

/* Ticks of 40 ns from `first` to `last`, which were read in this order. */
uint64_t counter_ticks(counter_value first, counter_value last);

#endif
