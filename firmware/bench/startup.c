/* Reset and faults: FPU on, .bss cleared (the simulator loads .data in place). Code for a core without unaligned accesses
 * may run on a machine whose core has them: there they fault as well. */
#include "semihosting.h"
#include "stack.h"

extern uint32_t __bss_start[], __bss_end[];
void bench_reset_handler(void) __attribute__((noreturn));
int main(void);

#define STATUS_FAULT 70u

static __attribute__((noreturn)) void run_main(void) {
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

#ifdef __riscv

void bench_start(void) __attribute__((naked, noreturn, used, section(".vectors")));
void bench_trap_handler(void) __attribute__((naked, noreturn, used, aligned(4)));
void bench_fault_report(uint32_t pc, uint32_t ra, uint32_t cause) __attribute__((noreturn, used));

#define WITH_CSRS ".option arch, +zicsr\n\t"
#define GUARD_BYTES 4096u /* below the stack, which is aligned to as many */
#define PMP_LOCKED_NAPOT 0x98u

/* Where the core begins. */
void bench_start(void) {
    __asm__ volatile("la sp, __stack_top\n\tj bench_reset_handler");
}

/* RAM does not end where the stack does: nobody may touch the bytes below, so that an overflow faults. */
void bench_reset_handler(void) {
    const uint32_t guard = ((uint32_t)STACK_LIMIT - GUARD_BYTES) >> 2 | (GUARD_BYTES / 8 - 1);
    __asm__ volatile(WITH_CSRS
                     "csrw mtvec, %0\n\tcsrw pmpaddr0, %1\n\tcsrw pmpcfg0, %2" ::"r"(bench_trap_handler),
                     "r"(guard), "r"(PMP_LOCKED_NAPOT));
    run_main();
}

void bench_fault_report(uint32_t pc, uint32_t ra, uint32_t cause) {
    print_hex("fault: pc=", pc);
    print_hex(" ra=", ra);
    print_hex(" cause=", cause);
    bench_host_print("\n");
    bench_host_exit(STATUS_FAULT);
}

void bench_trap_handler(void) {
    __asm__ volatile(WITH_CSRS "csrr a0, mepc\n\tmv a1, ra\n\tcsrr a2, mcause\n\t"
                               "la sp, __stack_top\n\tj bench_fault_report");
}

#else

void bench_fault_handler(void) __attribute__((naked, noreturn));
void bench_fault_report(const uint32_t *frame) __attribute__((noreturn, used));

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CCR (*(volatile uint32_t *)0xE000ED14u)
#define CCR_UNALIGN_TRP (1u << 3)
#define CFSR (*(volatile uint32_t *)0xE000ED28u)

void bench_reset_handler(void) {
    CPACR |= 0xFu << 20; /* coprocessors 10 and 11: the FPU */
#ifndef __ARM_FEATURE_UNALIGNED
    CCR |= CCR_UNALIGN_TRP;
#endif
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    run_main();
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

#endif
