/* Caches of the Cortex-M7 (Cortex-M7 Devices Generic User Guide, 4.8): they hold garbage after reset, so
 * invalidate before enabling. */
#include "cortex_m.h"
#include "system.h"

#define CACHE_LINE 32u /* bytes, of every Cortex-M7 */

static void data_cache_invalidate(void) {
    SCB_CSSELR = 0; /* level 1, data */
    barrier();
    const uint32_t size = SCB_CCSIDR;
    const uint32_t sets = (size >> 13) & 0x7FFFu, ways = (size >> 3) & 0x3FFu; /* both minus one */
    const uint32_t set_shift = (size & 7u) + 4u; /* log2 of the bytes in a line */
    const uint32_t way_shift = ways ? (uint32_t)__builtin_clz(ways) : 0u;
    for (uint32_t set = 0; set <= sets; set++) {
        for (uint32_t way = 0; way <= ways; way++) SCB_DCISW = (way << way_shift) | (set << set_shift);
    }
    barrier();
}

void hal_cache_forget(uint32_t address, uint32_t bytes) {
    if (!(SCB_CCR & SCB_CCR_DC)) return;
    barrier();
    for (uint32_t line = address & ~(CACHE_LINE - 1u); line < address + bytes; line += CACHE_LINE)
        SCB_DCIMVAC = line;
    barrier();
}

void hal_cache_enable(void) {
    barrier();
    SCB_ICIALLU = 0;
    barrier();
    SCB_CCR |= SCB_CCR_IC;
    barrier();
    if (SCB_CCR & SCB_CCR_DC) return; /* a debugger's restart: invalidating a live cache would lose data */
    data_cache_invalidate();
    SCB_CCR |= SCB_CCR_DC;
    barrier();
}
