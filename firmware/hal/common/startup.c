/* Vector table, reset handler and fault handlers of every board. */
#include "startup.h"
#include "cortex_m.h"
#include "hal.h"
#include "semihost.h"
#include "serial.h"
#include "system.h"
#include "uart.h"

#include "board.h"

/* Exit status of the simulator after a fault of the firmware. */
#define FAULT_EXIT_STATUS 70

static bool port_takes_bytes; /* one that is not started is waited for once */

static void print(const char *text) {
    for (const char *c = text; *c && port_takes_bytes; c++) port_takes_bytes = hal_uart_send((uint8_t)*c);
    if (HAL_SIMULATED) hal_semihost_print(text);
}

static void print_hex(const char *label, uint32_t value) {
    char text[9];
    for (int i = 0; i < 8; i++) text[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15u];
    text[8] = '\0';
    print(label);
    print(text);
}

/* A fault never hangs: it says over the host's port where it happened, between two bytes that end any packet of the
 * protocol; then a simulator ends, a debugger gets control, a board restarts. */
void hal_fault_report(const uint32_t *frame) {
    uint32_t ipsr;
    __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
    port_takes_bytes = hal_uart_send(0);
    print_hex("firmware fault: exception 0x", ipsr);
    /* After a stack overflow the frame lies outside the RAM, or nothing was put there, and must not be read. */
    if (frame >= _stack_bottom && frame + 8 <= _stack_top && !(SCB_CFSR & CFSR_STKOF))
        print_hex(", pc 0x", frame[6]);
    else if (frame)
        print(", stack overflow");
    print_hex(", cfsr 0x", SCB_CFSR);
    print_hex(", hfsr 0x", SCB_HFSR);
    print("\n");
    if (port_takes_bytes) hal_uart_send(0);
    if (HAL_SIMULATED) hal_semihost_exit(FAULT_EXIT_STATUS);
    if (DHCSR & DHCSR_C_DEBUGEN) __asm volatile("bkpt 0");
    hal_reset();
}

/* Gives hal_fault_report the stacked frame and a fresh stack: the old one may be what overflowed. */
static void __attribute__((naked)) fault_handler(void) {
    __asm volatile("mrs r0, msp\n\t"
                   "ldr r1, =_stack_top\n\t"
                   "msr msp, r1\n\t"
                   "b hal_fault_report");
}

/* Not maskable: a flash controller's complaint, where its driver answers it. */
void hal_nmi_handler(void) __attribute__((weak, alias("fault_handler")));

static void paint_stack(void) {
    uint32_t here;
    uint32_t *p = _stack_bottom;
    __asm volatile("mov %0, sp" : "=r"(here));
    /* volatile keeps the compiler from calling memset, whose own frame would be painted over */
    while ((uintptr_t)p < here - 64u) *(volatile uint32_t *)p++ = STACK_PAINT;
}

static void start_memory(void) {
    const uint32_t *from = _data_image;
    for (uint32_t *to = _data_start; to < _data_end;) *(volatile uint32_t *)to++ = *from++;
    for (uint32_t *to = _arena_start; to < _arena_end;) *(volatile uint32_t *)to++ = 0;
    for (uint32_t *to = _bss_start; to < _bss_end;) *(volatile uint32_t *)to++ = 0;
}

extern void (*const hal_vectors[])(void);

/* Armv8-M knows the stack's end itself (its ARM, B3.21); elsewhere nothing lies below it, which faults too. */
static void guard_stack(void) {
#if defined __ARM_ARCH_8M_MAIN__
    __asm volatile("msr msplim, %0" : : "r"(_stack_bottom));
#endif
}

void hal_reset_handler(void) {
    guard_stack();
    SCB_CPACR |= SCB_CPACR_FPU_FULL_ACCESS;
    SCB_VTOR = (uint32_t)(uintptr_t)hal_vectors;
    barrier();
    paint_stack();
    start_memory();
    main();
    hal_reset();
}

/* One line for all interrupts, then the exceptions to it. */
#pragma GCC diagnostic ignored "-Woverride-init"
/* The first word is the initial stack pointer, the rest are exception numbers 1, 2, ... (B1.5.2, B1.5.3). */
__attribute__((used, section(".vectors"))) void (*const hal_vectors[16 + BOARD_IRQ_COUNT])(void) = {
    (void (*)(void))(uintptr_t)_stack_top,
    hal_reset_handler,
    hal_nmi_handler,
    fault_handler, /* HardFault */
    fault_handler, /* MemManage */
    fault_handler, /* BusFault */
    fault_handler, /* UsageFault */
    0,
    0,
    0,
    0,
    fault_handler, /* SVCall */
    fault_handler, /* DebugMonitor */
    0,
    fault_handler, /* PendSV */
    hal_system_tick_handler,
    [16 ... 15 + BOARD_IRQ_COUNT] = fault_handler,
    [16 + BOARD_UART(IRQ)] = hal_serial_interrupt_handler,
#if BOARD_HAS_DCMI
    [16 + DCMI_IRQ] = hal_camera_interrupt_handler,
    [16 + DCMI_DMA_IRQ] = hal_camera_dma_interrupt_handler,
#endif
};
