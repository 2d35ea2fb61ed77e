/* MLPerf Tiny's benchmark over the same serial port (docs/mlperf.md): the runner's commands are text, end with '%' and
 * stand between the frames of docs/protocol.md. Only in firmware that is built with FW_MLPERF, the name of the
 * benchmark's model (vww01, ic01, kws01, ad01 or sww01), and with FW_MLPERF_VALUE_BYTES, what a value of the input takes on the wire. */
#ifndef MLPERF_H
#define MLPERF_H

#include "tinyengine/te_model.h"

#include <stdint.h>

/* Tells the runner that the device is ready. The network takes whole frames. */
void fw_mlperf_init(const te_model *model);

/* The link's tap: answers a command that the byte completes. */
void fw_mlperf_take(uint8_t byte);

#endif
