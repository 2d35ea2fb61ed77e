/* The application: the compiled network behind the protocol's commands. */
#ifndef APP_H
#define APP_H

#include "tinyengine/te_model.h"

/* What `tinyengine info` shows as the firmware's version. */
#ifndef FIRMWARE_VERSION
#define FIRMWARE_VERSION "0.1.0"
#endif

/* After hal_init. Paints the arena, so that its high-water mark can be read later. */
void fw_app_init(const te_model *model);

/* Handles what has arrived; call it in a loop. */
void fw_app_poll(void);

#endif
