/* Cycle counter of the core's watchpoint unit (Armv7-M ARM, C1.8.8). */
#include "cortex_m.h"
#include "system.h"

void hal_dwt_start(void) {
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_LAR_KEY; /* the Cortex-M7 has a lock, the Cortex-M4 ignores the write */
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

uint32_t hal_dwt_count(void) {
    return DWT_CYCCNT;
}
