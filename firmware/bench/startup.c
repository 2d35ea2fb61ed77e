/* Vector table and reset: FPU on, .bss cleared (the simulator loads .data in place). Code for a core without
 * unaligned accesses may run on a machine whose core has them: there they fault as well. */
#include "semihosting.h"
#include "stack.h"

extern uint32_t __bss_start[], __bss_end[];
void bench_reset_handler(void) __attribute__((noreturn));
void bench_fault_handler(void) __attribute__((naked, noreturn));
void bench_fault_report(const uint32_t *frame) __attribute__((noreturn, used));
int main(void);

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CCR (*(volatile uint32_t *)0xE000ED14u)
#define CCR_UNALIGN_TRP (1u << 3)
#define CFSR (*(volatile uint32_t *)0xE000ED28u)
#define STATUS_FAULT 70u

void bench_reset_handler(void) {
    CPACR |= 0xFu << 20; /* coprocessors 10 and 11: the FPU */
#ifndef __ARM_FEATURE_UNALIGNED
    CCR |= CCR_UNALIGN_TRP;
#endif
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (volatile uint32_t *word = __bss_start; word < __bss_end; word++) *word = 0;
    bench_host_exit((uint32_t)main());
}

static void print_hex(const char *label, uint32_t value) {
    char text[11] = "0x";
    for (int i = 0; i < 8; i++) text[2 + i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    text[10] = 0;
    bench_host_print(label);
    bench_host_print(text);
}

/* frame: r0-r3, r12, lr, pc, xpsr as the core stacked them. */
void bench_fault_report(const uint32_t *frame) {
    print_hex("fault: pc=", frame[6]);
    print_hex(" lr=", frame[5]);
    print_hex(" cfsr=", CFSR);
    bench_host_print("\n");
    bench_host_exit(STATUS_FAULT);
}

void bench_fault_handler(void) {
    __asm__ volatile("mrs r0, msp\n\tbl bench_fault_report");
}

typedef struct vector_table {
    uint32_t *stack;
    void (*handlers[15])(void); /* reset first; the numbers are those of the exceptions less 1 */
} vector_table;

__attribute__((used, section(".vectors"))) static const vector_table vectors = {
    .stack = STACK_TOP,
    .handlers = {bench_reset_handler, bench_fault_handler, bench_fault_handler, bench_fault_handler,
                 bench_fault_handler, bench_fault_handler, [10] = bench_fault_handler,
                 [11] = bench_fault_handler, [13] = bench_fault_handler, [14] = bench_fault_handler},
};
