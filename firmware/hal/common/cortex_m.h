/* Registers of the Cortex-M4, M7 and M33 cores that the HAL uses (Armv7-M Architecture Reference Manual, B3
 * and C1; cache maintenance: Cortex-M7 Devices Generic User Guide, 4.8).
 */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))
#define BIT(n) (1u << (n))

/* SysTick, B3.3 */
#define SYST_CSR REG32(0xE000E010u)
#define SYST_RVR REG32(0xE000E014u)
#define SYST_CVR REG32(0xE000E018u)
#define SYST_CSR_ENABLE BIT(0)
#define SYST_CSR_TICKINT BIT(1)
#define SYST_CSR_CLKSOURCE_CORE BIT(2)

/* System control block, B3.2 */
#define SCB_VTOR REG32(0xE000ED08u)
#define SCB_AIRCR REG32(0xE000ED0Cu)
#define SCB_AIRCR_SYSRESETREQ (0x05FA0000u | BIT(2))
#define SCB_CCR REG32(0xE000ED14u)
#define SCB_CCR_IC BIT(17)
#define SCB_CCR_DC BIT(16)
#define SCB_CCR_BFHFNMIGN BIT(8)
#define SCB_CFSR REG32(0xE000ED28u)
#define CFSR_STKOF BIT(20) /* Armv8-M: below the stack's limit */
#define SCB_HFSR REG32(0xE000ED2Cu)
#define SCB_CPACR REG32(0xE000ED88u)
#define SCB_CPACR_FPU_FULL_ACCESS (0xFu << 20)

/* Cache size identification and maintenance, Cortex-M7 only */
#define SCB_CCSIDR REG32(0xE000ED80u)
#define SCB_CSSELR REG32(0xE000ED84u)
#define SCB_ICIALLU REG32(0xE000EF50u)
#define SCB_DCIMVAC REG32(0xE000EF5Cu)
#define SCB_DCISW REG32(0xE000EF60u)

/* Interrupt controller, B3.4 */
#define NVIC_ISER(n) REG32(0xE000E100u + 4u * (n))
#define NVIC_ICER(n) REG32(0xE000E180u + 4u * (n))

/* Debug and the cycle counter, C1.6 and C1.8 */
#define DHCSR REG32(0xE000EDF0u)
#define DHCSR_C_DEBUGEN BIT(0)
#define DEMCR REG32(0xE000EDFCu)
#define DEMCR_TRCENA BIT(24)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CTRL_CYCCNTENA BIT(0)
#define DWT_CYCCNT REG32(0xE0001004u)
#define DWT_LAR REG32(0xE0001FB0u)
#define DWT_LAR_KEY 0xC5ACCE55u

static inline void barrier(void) {
    __asm volatile("dsb\n\tisb" ::: "memory");
}

/* Keeps the compiler from moving accesses across it: enough between code and its interrupts. */
static inline void compiler_barrier(void) {
    __asm volatile("" ::: "memory");
}

static inline void interrupts_off(void) {
    __asm volatile("cpsid i" ::: "memory");
}

static inline void interrupts_on(void) {
    __asm volatile("cpsie i" ::: "memory");
}

/* FAULTMASK: nothing but NMI is taken, faults included. */
static inline void faults_off(void) {
    __asm volatile("cpsid f" ::: "memory");
}

static inline void faults_on(void) {
    __asm volatile("cpsie f" ::: "memory");
}

static inline void wait_for_interrupt(void) {
    __asm volatile("dsb\n\twfi" ::: "memory");
}

static inline void nvic_enable(uint32_t irq) {
    NVIC_ISER(irq / 32u) = BIT(irq % 32u);
}

static inline void nvic_disable(uint32_t irq) {
    NVIC_ICER(irq / 32u) = BIT(irq % 32u);
    barrier();
}

#endif
