/* Firmware entry: the network that the compiler generated, served over the serial port. */
#include "app.h"
#include "hal.h"
#include "network.h"

int main(void) {
    hal_init();
    app_init(&network);
    for (;;) {
        app_poll();
        hal_wait();
    }
}
