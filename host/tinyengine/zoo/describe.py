"""What ``tinyengine zoo list`` and ``zoo show`` print, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tinyengine.errors import ToolError
from tinyengine.paths import project_root
from tinyengine.zoo.table import NETWORKS, Network, Published, convolutions, macs, parameters


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list. ``shipped`` is the trained network in models/, if there is one."""

    name: str
    resolution: int
    classes: int
    macs: int
    parameters: int
    published: Published
    about: str
    shipped: str | None


@dataclass(frozen=True, slots=True)
class LayerEntry:
    """One layer of a network: sizes are (height = width, channels)."""

    name: str
    kind: str
    kernel: int
    stride: int
    input: tuple[int, int]
    output: tuple[int, int]
    macs: int
    weights: int


def entry(network: Network) -> Entry:
    """The figures of one network."""
    return Entry(
        network.name,
        network.resolution,
        network.classes,
        macs(network),
        parameters(network),
        network.published,
        network.about,
        _shipped(network.name),
    )


def entries() -> list[Entry]:
    """The whole zoo."""
    return [entry(network) for network in NETWORKS.values()]


def layers(network: Network) -> list[LayerEntry]:
    """The layers with weights, in order."""
    return [
        LayerEntry(
            layer.name,
            layer.kind,
            layer.kernel,
            layer.stride,
            (layer.in_size, layer.in_channels),
            (layer.out_size, layer.out_channels),
            layer.macs,
            layer.weights,
        )
        for layer in convolutions(network)
    ]


def as_json(network: Network) -> dict[str, object]:
    """What ``zoo show --json`` prints."""
    return {**asdict(entry(network)), "head": network.head, "layers": [asdict(layer) for layer in layers(network)]}


def _shipped(name: str) -> str | None:
    try:
        path = project_root() / "models" / f"{name.replace('-', '_').replace('.', '_')}.tflite"
    except ToolError:
        return None  # installed without the checkout
    return f"models/{path.name}" if path.is_file() else None
