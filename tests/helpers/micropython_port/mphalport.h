#define mp_hal_pin_obj_t /* no pins: extmod/virtpin.h is not among these sources */
static inline void mp_hal_set_interrupt_char(int c) {
    (void)c;
}
