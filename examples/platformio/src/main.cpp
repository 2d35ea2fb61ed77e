// Reads inputs of the network from input.bin, one behind the other, and prints the outputs of each.
#include <cstdio>

#include "person_tiny.h"

int main() {
    const te_port &in = person_tiny.inputs[0], &out = person_tiny.outputs[0];
    std::FILE *file = std::fopen("input.bin", "rb");
    if (!file) {
        std::puts("there is no input.bin");
        return 1;
    }
    while (std::fread(in.data, 1, in.bytes, file) == in.bytes) {
        person_tiny.run();
        const int8_t *y = static_cast<const int8_t *>(out.data);
        for (uint32_t i = 0; i < out.bytes; i++) std::printf("%d%c", y[i], i + 1 < out.bytes ? ' ' : '\n');
    }
    std::fclose(file);
    return 0;
}
