/* What one run of a network costs: virtual time, arena and stack. */
#ifndef MEASURE_H
#define MEASURE_H

#include "counter.h"
#include "tinyengine/te_model.h"

#define MEASURE_MAX_LAYERS 4096u

/* Moments of one run: before the call, after it, and after each layer when profiled. */
typedef struct measure_times {
    counter_value before, after;
    counter_value layers[MEASURE_MAX_LAYERS];
    uint32_t n_layers;
} measure_times;

/* Paints the stack, then calls run, or run_profiled with a hook that stores the time. */
void bench_measure_run(measure_times *times, void (*run)(void));
void bench_measure_profile(measure_times *times, void (*run_profiled)(te_layer_hook hook, void *context));

/* Networks of nothing: the times of these runs are the cost of measuring. The first takes one instruction
 * (its return); the second calls the hook twice with nothing between. */
void bench_measure_nothing(void);
void bench_measure_nothing_profiled(te_layer_hook hook, void *context);

/* Bytes of stack the last run took: from the stack pointer at the call to the deepest word written. */
uint32_t bench_measure_stack_used(void);

/* Fills the arena and the guards around it; then, after the run: bytes from its start to the highest one
 * changed, and whether the guards are untouched. */
void bench_measure_arena_paint(const te_model *model, uint8_t paint);
uint32_t bench_measure_arena_used(const te_model *model, uint8_t paint);
uint32_t bench_measure_guards_intact(const te_model *model, uint8_t paint);

#endif
