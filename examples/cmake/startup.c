/* Vector table and reset of QEMU's boards mps2-an386 (Cortex-M4) and mps2-an500 (Cortex-M7). QEMU loads every
 * section where it is to lie, and its semihosting gives the program files and a console of the computer. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t bss_begin[], bss_end[], stack_top[];
void initialise_monitor_handles(void); /* newlib's: standard input and output */
void __libc_init_array(void);          /* newlib's: constructors */
int main(void);

#define CPACR (*(volatile uint32_t *)0xE000ED88u)

void _init(void) {}
void _fini(void) {}

static void reset(void) {
    CPACR |= 0xFu << 20; /* coprocessors 10 and 11: the FPU */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    for (volatile uint32_t *word = bss_begin; word < bss_end; word++) *word = 0;
    initialise_monitor_handles();
    __libc_init_array();
    exit(main());
}

static void fault(void) {
    abort();
}

typedef struct vector_table {
    uint32_t *stack;
    void (*handlers[15])(void); /* the numbers are those of the exceptions less 1 */
} vector_table;

__attribute__((used, section(".vectors"))) static const vector_table vectors = {
    .stack = stack_top,
    .handlers = {reset, fault, fault, fault, fault, fault},
};
