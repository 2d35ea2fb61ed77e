"""The networks of the zoo, written down as data.

Every network has the same skeleton, the mobile inverted residual network of MobileNetV2, ProxylessNAS and MCUNet:

- a stem, a 3x3 convolution with stride 2;
- a chain of blocks, each an expanding 1x1 convolution, a depthwise convolution and a projecting 1x1 convolution without
  activation; a block with stride 1 and as many outputs as inputs adds its input to its output;
- optionally a 1x1 head convolution, then the global average and a fully connected classifier.

All activations are ReLU6. Batch normalization stands behind every convolution and is folded into it when the network is
converted. A block is written ``eE cC kK sS``: expansion E (1 means that there is no expanding convolution), C output
channels, kernel K, stride S (left out where it is 1). ``*N`` repeats a block N times; only the first one strides.
``aHdD``, as in ``a2d16``, is a block of ReLU linear attention with H heads of D channels (Cai et al., EfficientViT,
2023): 1x1 convolutions to queries, keys (ReLU6 behind both) and values, the attention over all pixels, a
1x1 convolution back to the block's channels, and the block's input added.

The architectures and published figures of the MCUNet family are those of its authors' model zoo (MIT HAN Lab).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tinyengine.errors import ModelError
from tinyengine.sizes import ceil_div

_BLOCK = re.compile(r"^e(?P<e>\d+)c(?P<c>\d+)k(?P<k>\d+)(?:s(?P<s>\d+))?(?:\*(?P<n>\d+))?$")
_ATTENTION = re.compile(r"^a(?P<h>\d+)d(?P<d>\d+)$")

NORM_EPSILON = 1e-3
"""What normalization adds to variances: Keras' default."""

EPSILON = 1.0
"""What attention adds to its denominators: next to nothing beside the sums of trained networks, but gradients stay
finite where a query has almost nothing in common with any key."""


@dataclass(frozen=True, slots=True)
class Block:
    """One inverted residual block."""

    expansion: int
    channels: int
    kernel: int
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Attention:
    """One block of ReLU linear attention, which keeps the number of channels."""

    heads: int
    depth: int  # channels of a head

    @property
    def width(self) -> int:
        """Channels of the queries, the keys and the values."""
        return self.heads * self.depth


@dataclass(frozen=True, slots=True)
class Published:
    """Figures that the authors of a network report; ``None`` where they report none."""

    macs_m: float | None = None
    params_m: float | None = None
    top1_float: float | None = None
    top1_int8: float | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """One architecture; resolution, classes and head may be changed with ``dataclasses.replace``."""

    name: str
    resolution: int
    stem: int
    blocks: tuple[Block | Attention, ...]
    classes: int
    head: int | None = None
    about: str = ""
    published: Published = Published()
    #: the head of the published inference variant, where the table's network is the headless one used for training
    published_head: int | None = None


@dataclass(frozen=True, slots=True)
class Convolution:
    """One convolution or the classifier of a network, with the shapes that its costs follow from."""

    name: str
    kind: str  # "conv", "depthwise" or "dense"
    kernel: int
    stride: int
    in_channels: int
    out_channels: int
    in_size: int
    out_size: int

    @property
    def macs(self) -> int:
        return self.out_size**2 * self.weights

    @property
    def weights(self) -> int:
        per_output = self.kernel**2 * (1 if self.kind == "depthwise" else self.in_channels)
        return per_output * self.out_channels

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Of its kernel in Keras: (height, width, inputs, outputs), of a depthwise one (height, width, channels, 1)."""
        outputs = 1 if self.kind == "depthwise" else self.out_channels
        return self.kernel, self.kernel, self.in_channels, outputs


def parse_blocks(text: str) -> tuple[Block | Attention, ...]:
    """Read blocks separated by white space, such as ``"e1c8k3 e6c16k3s2*3 a2d16"``."""
    blocks: list[Block | Attention] = []
    for word in text.split():
        if attention := _ATTENTION.match(word):
            blocks.append(Attention(int(attention["h"]), int(attention["d"])))
            continue
        match = _BLOCK.match(word)
        if match is None:
            raise ModelError(
                f"'{word}' is not a block: write it like e6c16k3s2*3 (expansion, channels, kernel, stride) or a2d16 "
                "(attention: heads, channels of a head)"
            )
        first = Block(int(match["e"]), int(match["c"]), int(match["k"]), int(match["s"] or 1))
        blocks.append(first)
        blocks.extend([replace(first, stride=1)] * (int(match["n"] or 1) - 1))
    return tuple(blocks)


def convolutions(network: Network) -> list[Convolution]:
    """All layers with weights, in the order in which they run. SAME padding: a size of n becomes ceil(n / stride)."""
    size = ceil_div(network.resolution, 2)
    layers = [Convolution("stem", "conv", 3, 2, 3, network.stem, network.resolution, size)]
    channels = network.stem
    for index, block in enumerate(network.blocks):
        if isinstance(block, Attention):
            ends = [("query", channels, block.width), ("key", channels, block.width), ("value", channels, block.width)]
            layers += [
                Convolution(f"block{index}_{name}", "conv", 1, 1, before, after, size, size)
                for name, before, after in (*ends, ("project", block.width, channels))
            ]
            continue
        middle = channels * block.expansion
        out_size = ceil_div(size, block.stride)
        if block.expansion != 1:
            layers.append(Convolution(f"block{index}_expand", "conv", 1, 1, channels, middle, size, size))
        layers += [
            Convolution(
                f"block{index}_depthwise", "depthwise", block.kernel, block.stride, middle, middle, size, out_size
            ),
            Convolution(f"block{index}_project", "conv", 1, 1, middle, block.channels, out_size, out_size),
        ]
        channels, size = block.channels, out_size
    if network.head is not None:
        layers.append(Convolution("head", "conv", 1, 1, channels, network.head, size, size))
        channels = network.head
    return [*layers, Convolution("classifier", "dense", 1, 1, channels, network.classes, 1, 1)]


def macs(network: Network) -> int:
    """Multiply-accumulates of one inference."""
    return sum(layer.macs for layer in convolutions(network)) + attention_macs(network)


def attention_macs(network: Network) -> int:
    """Those of them that multiply activations: per pixel and head, keys times values into D x D sums and into D sums of
    keys, and queries times both."""
    sizes = {layer.name: layer.out_size for layer in convolutions(network)}
    return sum(
        2 * sizes[f"block{index}_query"] ** 2 * block.width * (block.depth + 1)
        for index, block in enumerate(network.blocks)
        if isinstance(block, Attention)
    )


def parameters(network: Network) -> int:
    """Trainable numbers as papers count them: weights, two per batch-normalized channel, the classifier's biases."""
    layers = convolutions(network)
    normalized = sum(2 * layer.out_channels for layer in layers if layer.kind != "dense")
    return sum(layer.weights for layer in layers) + normalized + network.classes


def _network(name: str, resolution: int, stem: int, blocks: str, **more: object) -> Network:
    return Network(name, resolution, stem, parse_blocks(blocks), **{"classes": 1000, **more})  # type: ignore[arg-type]


_IN1_BLOCKS = """e1c8k3 e4c16k3s2 e3c16k3 e3c24k7s2 e5c24k3 e5c40k3s2 e4c40k7 e4c48k5 e3c48k3 e4c48k3
                 e5c96k7s2 e4c96k5*2 e6c160k3"""

_MBV2_BLOCKS = """e1c8k3 e6c8k3s2 e6c8k3 e6c16k3s2 e6c16k3*2 e6c24k3s2 e6c24k3*3 e6c32k3*3 e6c56k3s2 e6c56k3*2
                 e6c112k3"""

_TABLE = (
    _network(
        "mcunet-in0",
        48,
        24,
        """e1c16k3 e4c16k5s2 e3c16k3 e4c16k3 e5c24k7s2 e4c24k5 e5c24k5 e5c48k7s2 e4c48k5 e5c56k3 e4c56k5 e5c56k3
           e6c112k3s2 e4c112k5 e6c192k3""",
        about="MCUNet for ImageNet, about 10 frames per second on a Cortex-M7",
        published=Published(6.4, 0.75, 41.5, 40.4),
    ),
    _network(
        "mcunet-in1",
        96,
        16,
        _IN1_BLOCKS,
        about="MCUNet for ImageNet, about 5 frames per second on a Cortex-M7",
        published=Published(12.8, 0.64, 51.5, 49.9),
    ),
    _network(
        "mcunet-in2",
        160,
        16,
        """e1c8k3 e3c16k5s2 e6c16k7 e5c16k3 e5c16k5 e5c24k3s2 e6c24k7 e6c24k5 e4c40k7s2 e5c40k5 e5c48k3 e5c48k5 e4c48k3
           e6c96k5s2 e4c96k5 e3c96k5 e4c96k3 e5c160k5""",
        about="MCUNet for ImageNet, 256 KB SRAM and 1 MB flash",
        published=Published(67.3, 0.73, 60.9, 60.3),
    ),
    _network(
        "mcunet-in3",
        176,
        16,
        """e1c8k3 e3c16k7s2 e5c16k3 e5c16k7 e4c16k5 e5c24k5s2 e5c24k5*2 e5c40k3s2 e6c40k7 e4c40k5 e5c48k5 e5c48k7
           e5c48k3 e6c96k3s2 e5c96k7 e4c96k3 e5c160k7""",
        about="MCUNet for ImageNet, 320 KB SRAM and 1 MB flash",
        published=Published(81.8, 0.74, 62.2, 61.8),
    ),
    _network(
        "mcunet-in4",
        160,
        32,
        """e1c16k3 e3c24k7s2 e5c24k3 e4c24k5 e5c40k7s2 e4c40k3 e4c40k7 e3c80k7s2 e3c80k3 e3c80k7 e4c96k3 e3c96k5*2
           e4c192k7s2 e3c192k7 e3c192k5 e4c320k5""",
        about="MCUNet for ImageNet, 512 KB SRAM and 2 MB flash",
        published=Published(125.9, 1.73, 68.4, 68.0),
    ),
    _network(
        "mcunet-vww1",
        80,
        16,
        """e1c8k3 e6c16k3s2 e3c16k3*2 e3c24k7s2 e6c24k3 e5c24k5 e6c40k7s2 e6c40k7 e6c48k3 e4c48k3 e5c96k5s2 e5c96k3
           e4c96k3 e3c160k7""",
        classes=2,
        about="MCUNet for person / no person (Visual Wake Words)",
        published=Published(11.6, 0.43, 88.9, 88.9),
    ),
    _network(
        "mcunet-5fps",
        128,
        16,
        _IN1_BLOCKS,
        about="the network of mcunet-in1 at 128x128, pre-trained for on-device training",
        published=Published(top1_int8=54.1),
    ),
    _network(
        "mbv2-w0.35",
        144,
        16,
        _MBV2_BLOCKS,
        about="MobileNetV2, width 0.35; without its head, as used for training",
        published=Published(23.5, 0.75, 49.7, 49.0),
        published_head=448,
    ),
    _network(
        "proxyless-w0.3",
        176,
        16,
        """e1c8k3 e3c16k5s2 e3c16k3 e3c16k7s2 e3c16k3 e3c16k5*2 e6c24k7s2 e3c24k5*3 e6c32k5 e3c32k5*3 e6c64k7s2 e6c64k7
           e3c64k7*2 e6c96k7""",
        about="ProxylessNAS, width 0.3; without its head, as used for training",
        published=Published(38.3, 0.75, 57.0, 56.2),
        published_head=384,
    ),
    _network(
        "person-tiny",
        80,
        16,
        _MBV2_BLOCKS,
        classes=2,
        about="ours: person / no person in the least memory; mbv2-w0.35 at 80x80",
    ),
    _network(
        "person-small",
        112,
        16,
        _MBV2_BLOCKS,
        classes=2,
        about="ours: person / no person, more accurate; mbv2-w0.35 at 112x112",
    ),
    _network(
        "person-best",
        80,
        32,
        "e1c16k3 e6c24k3s2*2 e6c40k5s2*2 e6c80k3s2*3 e6c112k5*3 e6c192k5s2*2",
        classes=2,
        about="ours: person / no person, most accurate, for larger boards; 13 of the 16 blocks of EfficientNet-Lite0",
    ),
    _network(
        "efficientvit-tiny",
        80,
        16,
        """e1c8k3 e6c8k3s2 e6c8k3 e6c16k3s2 e6c16k3 a1d16 e6c16k3 e6c32k3s2 a2d16 e6c32k3 a2d16 e6c32k3 a2d16 e6c32k3
           e6c56k3s2 e6c56k3*2 e6c112k3""",
        classes=2,
        about="ours: person / no person; ReLU linear attention in person-tiny's place and at its MACs",
    ),
    _network(
        "person-found",
        72,
        16,
        """e1c8k3 e3c16k3s2 e3c24k5s2 e6c24k5 e4c24k5 e4c24k3 e4c40k7s2 e4c40k3 e3c40k7 e3c48k3 e3c48k5 e3c96k7s2
           e4c160k3""",
        classes=2,
        about="found by tinyengine search within 64 KB of SRAM: see docs/search.md",
    ),
    _network(
        "person-hand",
        64,
        16,
        """e1c8k3 e6c16k3s2 e3c16k3*2 e4c24k5s2 e6c24k3 e5c24k3 e6c40k5s2 e6c40k3 e6c48k3 e4c48k3 e5c80k3s2 e5c80k3
           e4c80k3 e4c128k3""",
        classes=2,
        about="drawn by hand: what person-found is compared with",
    ),
)

NETWORKS: dict[str, Network] = {network.name: network for network in _TABLE}


_MOBILENET_V2 = "e1c16k3 e6c24k3s2*2 e6c32k3s2*3 e6c64k3s2*4 e6c96k3*3 e6c160k3s2*3 e6c320k3"


def mobilenet_v2(width: float, resolution: int, classes: int = 1000) -> Network:
    """MobileNetV2 (Sandler et al. 2018, table 2) with all channels scaled, also those of stem and head, and rounded to
    multiples of 8 as there: at least 8, and never below 90 % of the scaled number."""

    def scaled(channels: int) -> int:
        rounded = max(8, int(channels * width + 4) // 8 * 8)
        return rounded if rounded >= 0.9 * channels * width else rounded + 8

    blocks = tuple(
        replace(block, channels=scaled(block.channels))
        for block in parse_blocks(_MOBILENET_V2)
        if isinstance(block, Block)
    )
    name = f"mobilenetv2-w{width:g}"
    return Network(
        name, resolution, scaled(32), blocks, classes, head=scaled(1280), about=f"MobileNetV2, width {width:g}"
    )


def find(name: str) -> Network:
    """The network called ``name``; a :class:`ModelError` that lists the names otherwise."""
    if name not in NETWORKS:
        raise ModelError(f"there is no network '{name}' in the zoo: it has {', '.join(NETWORKS)}")
    return NETWORKS[name]
