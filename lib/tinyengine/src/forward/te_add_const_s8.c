#include "../support/te_broadcast.h"

void te_add_const_s8(const te_binary_params *p, const int8_t *x, int8_t *y) {
    te_broadcast_const(p, x, y, te_add_op);
}
