/* A network written by hand: enough of a te_model to see every path of the protocol.
 *
 * Input "picture" of 40 x 48 x 3 (or ROWS x COLUMNS x 3). Output "sums", 10 values: the sum of every tenth
 * input value, from the k-th on, modulo 256. Output "mirror", 50 x 50 (or SIDE x SIDE) values: as many input
 * values from behind, each XOR 0x5A. Both are easy to predict, and any lost, doubled or displaced byte
 * changes them. Every push_rows and every run is counted in the third output "calls", 4 values: runs, begins,
 * rows pushed modulo 256, rows pushed / 256. Built with SECOND_INPUT the network also takes "seasoning", 4
 * values, added to the first four sums; built with ROWS_ONLY or FRAME_ONLY it takes only those.
 *
 * Its trainer learns nothing, but its state of 5001 bytes (10001 with ROWS_ONLY) follows from every step so
 * far in their order: tests/fake_trainer.py predicts it. With SECOND_INPUT there is none.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "tinyengine/te_model.h"

extern const te_model network;

#endif
