"""What a scheme costs, counted as the paper on sparse update counts it.

Source: "On-Device Training Under 256KB Memory" (Lin et al., NeurIPS 2022). *Extra memory* is what training needs beyond
inference: for every convolution of the updated tail one bit per output element (its clamp mask) and 32 bits per bias;
for every convolution whose weights are updated the share of its input activation and of its weights, 8 bits each; and
the classifier's input. Gradients, and a classifier of any precision, are not in it: it is a figure for comparing
schemes, while the planner's SRAM figure says what a board needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.sizes import ceil_div
from tinyengine.training.layers import TrainableLayers
from tinyengine.training.scheme import UpdateScheme


@dataclass(frozen=True)
class SchemeCost:
    """Bits of extra memory by purpose, and how many parameters are trained (classifier not counted)."""

    mask_bits: int
    bias_bits: int
    activation_bits: int
    weight_bits: int
    classifier_input_bits: int
    trainable_weights: int
    trainable_biases: int

    @property
    def extra_memory_bytes(self) -> int:
        """All of it, rounded up to bytes."""
        bits = self.mask_bits + self.bias_bits + self.activation_bits + self.weight_bits + self.classifier_input_bits
        return ceil_div(bits, 8)


def scheme_cost(layers: TrainableLayers, scheme: UpdateScheme) -> SchemeCost:
    """Cost of ``scheme`` for a network with these layers; DataError if it does not fit them."""
    scheme.check(layers)
    first = len(layers.convolutions) - scheme.bias_last
    tail = layers.convolutions[first:]
    activation_bits = weights = 0
    for index in scheme.weights:
        layer, channels = layers.convolutions[index], scheme.channels(index, layers)
        activation_bits += 8 * layer.x.elements // layer.in_channels * channels
        weights += layer.weights.elements // layer.in_channels * channels
    biases = sum(layer.out_channels for layer in tail)
    return SchemeCost(
        mask_bits=sum(layer.y.elements for layer in tail),
        bias_bits=32 * biases,
        activation_bits=activation_bits,
        weight_bits=8 * weights,
        classifier_input_bits=8 * layers.classifier.x.elements,
        trainable_weights=weights,
        trainable_biases=biases,
    )
