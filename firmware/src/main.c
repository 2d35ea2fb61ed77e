/* Firmware entry: the network that the compiler generated, served over the serial port. */
#include "app.h"
#include "hal.h"
#include "network.h"

int main(void) {
    hal_init();
    fw_app_init(&network);
    for (;;) {
        fw_app_poll();
        hal_wait();
    }
}
