/* The board looks for itself: its camera's lines become the input of the network as they come (docs/protocol.md, LOOK). */
#ifndef LOOK_H
#define LOOK_H

#include "protocol.h"
#include "tinyengine/te_model.h"

void fw_look_init(const te_model *model);

/* Whether there is a camera, and the network takes pictures. */
bool fw_look_supported(void);

/* Command LOOK. */
status fw_look(const uint8_t *request, uint32_t length, writer *answer);

#endif
