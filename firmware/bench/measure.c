#include "measure.h"

#include <stdbool.h>

#include "stack.h"

extern uint8_t __arena_begin[], __arena_end[]; /* guards included */

#define GUARD_BYTES 256u
#define STACK_PAINT 0xC5A3961Eu

static uint32_t stack_at_call; /* the stack pointer at the measured call */

static inline uint32_t stack_pointer(void) {
    uint32_t sp;
#ifdef __riscv
    __asm__ volatile("mv %0, sp" : "=r"(sp));
#else
    __asm__ volatile("mov %0, sp" : "=r"(sp));
#endif
    return sp;
}

/* Paints what lies below the caller's frame (inlined: it must not have a frame of its own there). */
static inline __attribute__((always_inline)) void paint_stack(void) {
    stack_at_call = stack_pointer();
    for (volatile uint32_t *word = STACK_LIMIT; (uint32_t)word < stack_at_call; word++) *word = STACK_PAINT;
}

__attribute__((noinline)) void bench_measure_run(measure_times *times, void (*run)(void)) {
    times->n_layers = 0;
    paint_stack();
    times->before = counter_now();
    run();
    times->after = counter_now();
}

static void store_time(void *context, uint32_t index) {
    measure_times *times = context;
    times->layers[index] = counter_now();
    times->n_layers = index + 1;
}

__attribute__((noinline)) void
bench_measure_profile(measure_times *times, void (*run_profiled)(te_layer_hook hook, void *context)) {
    times->n_layers = 0;
    paint_stack();
    times->before = counter_now();
    run_profiled(store_time, times);
    times->after = counter_now();
}

__attribute__((naked)) void bench_measure_nothing(void) {
#ifdef __riscv
    __asm__ volatile("ret");
#else
    __asm__ volatile("bx lr");
#endif
}

void bench_measure_nothing_profiled(te_layer_hook hook, void *context) {
    hook(context, 0);
    hook(context, 1);
}

uint32_t bench_measure_stack_used(void) {
    const volatile uint32_t *word = STACK_LIMIT;
    while ((uint32_t)word < stack_at_call && *word == STACK_PAINT) word++;
    return stack_at_call - (uint32_t)word;
}

/* The part of [begin, end) that lies in the section of the arenas. */
static uint8_t *clip(uint8_t *address) {
    if (address < __arena_begin) return __arena_begin;
    return address > __arena_end ? __arena_end : address;
}

void bench_measure_arena_paint(const te_model *model, uint8_t paint) {
    uint8_t *const end = clip(model->arena + model->arena_bytes + GUARD_BYTES);
    for (uint8_t *byte = clip(model->arena - GUARD_BYTES); byte < end; byte++)
        *(volatile uint8_t *)byte = paint;
}

uint32_t bench_measure_arena_used(const te_model *model, uint8_t paint) {
    uint32_t used = model->arena_bytes;
    while (used > 0 && model->arena[used - 1] == paint) used--;
    return used;
}

static bool painted(const uint8_t *begin, const uint8_t *end, uint8_t paint) {
    while (begin < end && *begin == paint) begin++;
    return begin == end;
}

uint32_t bench_measure_guards_intact(const te_model *model, uint8_t paint) {
    uint8_t *const end = model->arena + model->arena_bytes;
    return painted(clip(model->arena - GUARD_BYTES), model->arena, paint) &&
           painted(end, clip(end + GUARD_BYTES), paint);
}
