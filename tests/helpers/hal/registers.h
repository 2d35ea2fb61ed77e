/* In place of firmware/hal/common/cortex_m.h, when a driver is compiled as C++ for this computer: a register is an object
 * whose accesses a model sees (clocks.cpp). Included before anything else. */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

uint32_t model_read(uint32_t address);
void model_write(uint32_t address, uint32_t value);
void model_barrier();
void model_interrupt(uint32_t number, bool enabled);

struct Register {
    uint32_t address;
    operator uint32_t() const { return model_read(address); }
    void operator=(uint32_t value) const { model_write(address, value); }
    void operator|=(uint32_t value) const { *this = *this | value; }
    void operator&=(uint32_t value) const { *this = *this & value; }
    Register operator&() const { return *this; }
};

struct Register8 {
    uint32_t address;
    operator uint8_t() const { return (uint8_t)model_read(address); }
    void operator=(uint8_t value) const { model_write(address, value); }
};

#define _Static_assert static_assert
#define BIT(n) (1u << (n))
#define REG32(a) (Register{(uint32_t)(a)})
#define REG8(a) (Register8{(uint32_t)(a)})
#define DEMCR REG32(0xE000EDFCu)
#define DEMCR_TRCENA BIT(24)
#define DWT_CTRL REG32(0xE0001000u)
#define DWT_CTRL_CYCCNTENA BIT(0)
#define DWT_CYCCNT REG32(0xE0001004u)
#define DWT_LAR REG32(0xE0001FB0u)
#define DWT_LAR_KEY 0xC5ACCE55u

bool hal_system_wait_for(Register reg, uint32_t mask, uint32_t value);

static inline void barrier() {
    model_barrier();
}
static inline void nvic_enable(uint32_t irq) {
    model_interrupt(irq, true);
}
static inline void nvic_disable(uint32_t irq) {
    model_interrupt(irq, false);
}

#endif
