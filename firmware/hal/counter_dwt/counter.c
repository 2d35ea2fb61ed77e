/* The counter of measurements on hardware: cycles, by the core's watchpoint unit (Armv7-M ARM, C1.8.8; Armv8-M ARM,
 * B12.1). */
#include "../common/cortex_m.h"
#include "../common/system.h"
#include "../hal.h"

static uint32_t rate;

void hal_counter_start(uint32_t core_hz) {
    rate = core_hz;
    DEMCR |= DEMCR_TRCENA;
    DWT_LAR = DWT_LAR_KEY; /* the Cortex-M7 has a lock, the others ignore the write */
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

uint32_t hal_count(void) {
    return DWT_CYCCNT;
}

const char *hal_count_unit(void) {
    return "cycles";
}

uint32_t hal_count_rate(void) {
    return rate;
}
