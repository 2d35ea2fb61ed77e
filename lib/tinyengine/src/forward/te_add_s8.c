#include "../support/te_broadcast.h"

void te_add_s8(const te_binary_params *p, const int8_t *a, const int8_t *b, int8_t *y) {
    te_broadcast_loop(p, a, b, y, te_add_op);
}
