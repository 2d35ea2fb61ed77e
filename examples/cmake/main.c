/* Reads inputs of the network from input.bin, one behind the other, and prints the outputs of each. */
#include <stdio.h>

#include "person_tiny.h"

int main(void) {
    const te_port *in = &person_tiny.inputs[0], *out = &person_tiny.outputs[0];
    FILE *file = fopen("input.bin", "rb");
    if (!file) {
        puts("there is no input.bin");
        return 1;
    }
    while (fread(in->data, 1, in->bytes, file) == in->bytes) {
        person_tiny.run();
        const int8_t *y = (const int8_t *)out->data;
        for (uint32_t i = 0; i < out->bytes; i++) printf("%d%c", y[i], i + 1 < out->bytes ? ' ' : '\n');
    }
    fclose(file);
    return 0;
}
