"""Networks of the zoo that find boxes: the first blocks of one, and behind them a head on a grid of 8 pixels.

The features that the backbone has at a stride of 16 are brought to as many channels as those at 8, enlarged and added
to them (Lin et al., Feature Pyramid Networks, 2017); a depthwise and a pointwise convolution, and a last one whose
numbers a ``grid`` head of ``data.boxes`` reads: where the centre is, the logarithm of the size, how sure it is, and
the classes where there are several.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinyengine.data.boxes import BoxHead
from tinyengine.errors import ModelError
from tinyengine.optional import tensorflow
from tinyengine.zoo.build import Builder
from tinyengine.zoo.table import Attention, Block, Convolution, Network

if TYPE_CHECKING:
    import keras

NAME = "detector"
"""Of the Keras model."""
STRIDE = 8
SIZE = (0.2, 0.4)
"""Width and height of a box whose logarithms are 0: what persons have on the middle, so that numbers remain small."""
OF_A_BOX = 5
"""Numbers of a cell before those of the classes."""
REACH = 4.0
THRESHOLD = 0.4
"""Scores say how well boxes fit, so they remain low; from here on 81 % of the boxes of `person_boxes` are right, of
`face_mask` 84 %."""


@dataclass(frozen=True, slots=True)
class Detector:
    """``backbone``: resolution, and the blocks of which those up to the stride 16 are used, but for ``left_out``;
    ``classes`` of its own say nothing. ``narrowed``: blocks, and the expansions that they have instead of their own."""

    backbone: Network
    classes: int
    left_out: tuple[int, ...] = ()
    narrowed: tuple[tuple[int, int], ...] = ()
    channels: int = 32

    @property
    def head(self) -> BoxHead:
        """How its output is read."""
        return BoxHead("grid", threshold=THRESHOLD, anchors=(SIZE,), reach=REACH)


def detector_model(detector: Detector) -> keras.Model:
    """Float input (N, R, R, 3) around [-1, 1), output (N, R / 8, R / 8, 5 or 5 + classes). Layers that it shares with
    ``keras_model(backbone)`` have the same names. ModelError where the backbone does not fit."""
    network = detector.backbone
    if network.resolution % 16:
        raise ModelError(f"a detector's resolution is a multiple of 16, not {network.resolution}")
    layers = tensorflow("build a detector").keras.layers
    build = Builder()
    x = inputs = layers.Input((network.resolution, network.resolution, 3), name="image")
    x = build.convolution(x, "stem", network.stem, 3, 2)
    taps = {}
    for index, block in used_blocks(detector):
        x = build.block(x, index, block)
        taps[network.resolution // x.shape[1]] = x
    fine = build.convolution(taps[STRIDE], "boxes_fine", detector.channels, activation=False)
    coarse = build.convolution(taps[2 * STRIDE], "boxes_coarse", detector.channels, activation=False)
    x = layers.Add(name="boxes_add")(
        [fine, layers.UpSampling2D(2, interpolation="bilinear", name="boxes_enlarge")(coarse)]
    )
    x = layers.ReLU(6.0, name="boxes_add_relu6")(x)
    x = build.depthwise(x, "boxes_depthwise", 3, 1)
    x = build.convolution(x, "boxes_project", detector.channels)
    numbers = OF_A_BOX + (detector.classes if detector.classes > 1 else 0)
    return tensorflow("build a detector").keras.Model(inputs, layers.Conv2D(numbers, 1, name="boxes")(x), name=NAME)


def used_blocks(detector: Detector) -> list[tuple[int, Block | Attention]]:
    """The backbone's blocks that run, and their numbers. ModelError where they make no detector."""
    network, used, strides, narrowed = detector.backbone, [], set(), dict(detector.narrowed)
    stride, channels = 2, network.stem
    for index, block in enumerate(network.blocks):
        own = block.stride if isinstance(block, Block) else 1
        if stride * own > 2 * STRIDE:
            break
        if index in detector.left_out:
            if isinstance(block, Block) and (own != 1 or channels != block.channels):
                raise ModelError(f"block {index} of {network.name} changes the shape, so it cannot be left out")
            continue
        stride, channels = stride * own, block.channels if isinstance(block, Block) else channels
        if index in narrowed:
            if not isinstance(block, Block) or not 1 < narrowed[index] < block.expansion:
                raise ModelError(f"block {index} of {network.name} cannot have an expansion of {narrowed[index]}")
            block = replace(block, expansion=narrowed.pop(index))
        used.append((index, block))
        strides.add(stride)
    if narrowed:
        raise ModelError(f"the detector does not use block {next(iter(narrowed))}, so it cannot be narrowed")
    if not {STRIDE, 2 * STRIDE} <= strides:
        raise ModelError(f"{network.name} has no blocks at the strides {STRIDE} and {2 * STRIDE}")
    return used


def detector_convolutions(model: Any) -> list[Convolution]:
    """The layers with weights of a detector's Keras model but for its normalizations, in the order in which they
    run."""
    found = []
    for layer in model.layers:
        if layer.weights and not layer.name.endswith("_bn"):
            kind = "depthwise" if layer.name.endswith("_depthwise") else "conv"
            (_, size, _, before), (_, out, _, after) = layer.input.shape, layer.output.shape
            found.append(
                Convolution(layer.name, kind, layer.kernel_size[0], layer.strides[0], before, after, size, out)
            )
    return found


def detector_macs(model: Any) -> int:
    """Multiply-accumulates of one run."""
    return sum(layer.macs for layer in detector_convolutions(model))
