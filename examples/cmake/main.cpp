// The same in C++: a network behind a small class, which any network fits.
#include <cstdio>

#include "person_tiny.h"

class Network {
  public:
    explicit Network(const te_model &model) : model_(model) {
        if (model_.reset) model_.reset();
        if (model_.trainer) model_.trainer->reset();
    }

    int8_t *input() const { return static_cast<int8_t *>(model_.inputs[0].data); }
    size_t input_bytes() const { return model_.inputs[0].bytes; }

    const int8_t *run() const {
        model_.run();
        return static_cast<const int8_t *>(model_.outputs[0].data);
    }

    // The real value of output i.
    float value(size_t i) const {
        const te_port &out = model_.outputs[0];
        return out.scale * static_cast<float>(static_cast<const int8_t *>(out.data)[i] - out.zero_point);
    }

    size_t outputs() const { return model_.outputs[0].bytes; }

  private:
    const te_model &model_;
};

int main() {
    const Network network(person_tiny);
    std::FILE *file = std::fopen("input.bin", "rb");
    if (!file) {
        std::puts("there is no input.bin");
        return 1;
    }
    while (std::fread(network.input(), 1, network.input_bytes(), file) == network.input_bytes()) {
        const int8_t *y = network.run();
        for (size_t i = 0; i < network.outputs(); i++) {
            std::printf("%d%c", y[i], i + 1 < network.outputs() ? ' ' : '\n');
        }
    }
    std::fclose(file);
    return 0;
}
