"""Update schemes: which parameters one training step changes.

A scheme file is JSON::

    {"name": "mine", "bias_last": 20, "weights": {"24": 0.25, "27": 0.5, "30": 0.5}}

``bias_last`` N: the biases of the last N convolutions. ``weights``: for a convolution, counted from 0 at the network's
input, the share of its input channels whose weights are updated; the convolution must be among the last N. The
classifier is not counted and is always trained.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tinyengine.errors import DataError
from tinyengine.ir import Graph
from tinyengine.training.layers import TrainableLayers, trainable_layers
from tinyengine.training.published import NETWORKS, PUBLISHED

_LAST_N = re.compile(r"^last-(\d+)$")


@dataclass(frozen=True)
class UpdateScheme:
    """Biases of the last ``bias_last`` convolutions; weights of convolutions: index -> ratio of input channels."""

    name: str
    bias_last: int = 0
    weights: dict[int, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """The scheme as a file holds it."""
        return json.dumps({"name": self.name, **self.meaning()}, indent=2) + "\n"

    def meaning(self) -> dict[str, object]:
        """What decides which constants a state holds."""
        weights = {str(index): ratio for index, ratio in sorted(self.weights.items())}
        return {"bias_last": self.bias_last, "weights": weights}

    def channels(self, index: int, layers: TrainableLayers) -> int:
        """How many input channels of convolution ``index`` have trained weights; never 0 for a listed one."""
        ratio = self.weights.get(index, 0.0)
        return max(1, round_half_up(ratio * layers.convolutions[index].in_channels)) if ratio else 0

    def check(self, layers: TrainableLayers) -> None:
        """DataError, one sentence, if the scheme does not fit a network with these layers."""
        count = len(layers.convolutions)
        if self.bias_last > count:
            raise DataError(
                f"scheme '{self.name}' updates the biases of {self.bias_last} convolutions, but the network has {count}"
            )
        for index in sorted(self.weights):
            if index >= count:
                raise DataError(
                    f"scheme '{self.name}' updates the weights of convolution {index}, but the network's are numbered "
                    f"0 to {count - 1}"
                )
            if index < count - self.bias_last:
                raise DataError(
                    f"scheme '{self.name}' updates the weights of convolution {index}, which lies before the last "
                    f"{self.bias_last} convolutions whose biases it updates: set bias_last to at least {count - index}"
                )


class Scheme(Protocol):
    """What is trained of a network of any kind."""

    @property
    def name(self) -> str: ...

    def meaning(self) -> dict[str, object]:
        """What decides which constants a state holds."""
        ...


def round_half_up(x: float) -> int:
    return math.floor(x + 0.5)


def parse_scheme(data: Any, name: str = "scheme") -> UpdateScheme:
    """A scheme from what its JSON holds; ``name`` is used where it gives none. DataError, one sentence."""

    def fail(what: str) -> DataError:
        return DataError(f"{name}: {what}; a scheme looks like {EXAMPLE}")

    if not isinstance(data, dict):
        raise fail("a scheme is a JSON object")
    unknown = sorted(set(data) - {"name", "bias_last", "weights"})
    if unknown:
        raise fail(f"there is no field '{unknown[0]}'")
    title, bias_last, weights = data.get("name", name), data.get("bias_last"), data.get("weights", {})
    if not isinstance(title, str) or not title:
        raise fail("'name' is not a name")
    if not isinstance(bias_last, int) or isinstance(bias_last, bool) or bias_last < 0:
        raise fail("'bias_last' must say how many of the last convolutions have their biases updated")
    if not isinstance(weights, dict):
        raise fail("'weights' must be an object of convolution: ratio")
    ratios: dict[int, float] = {}
    for key, ratio in weights.items():
        if not (isinstance(key, str) and key.isascii() and key.isdigit()) or int(key) in ratios:
            raise fail(f"'{key}' is not the number of a convolution, or it is there twice")
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not 0 < ratio <= 1:
            raise fail(f"the ratio of convolution {key} must be above 0 and at most 1")
        ratios[int(key)] = float(ratio)
    return UpdateScheme(title, bias_last, ratios)


EXAMPLE = '{"bias_last": 20, "weights": {"24": 0.25, "27": 0.5}}'


def load_scheme(path: str | Path) -> UpdateScheme:
    """Read a scheme file; DataError, one sentence, if it cannot be used."""
    path = Path(path)
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    return parse_scheme(data, path.stem)


def resolve_scheme(text: str, graph: Graph) -> UpdateScheme:
    """The scheme that ``text`` names for ``graph``: a .json file, a general or a published name; checked against it.

    A short name such as ``49kb`` takes the published scheme of the network whose layers have the same shapes.
    DataError, one sentence with the names that fit, otherwise.
    """
    layers = trainable_layers(graph)
    scheme = _general(text, layers) or _published(text, layers)
    if scheme is None and (text.endswith(".json") or Path(text).is_file()):
        scheme = load_scheme(text)
    if scheme is None:
        names = ", ".join(fitting_names(layers))
        raise DataError(f"there is no update scheme '{text}' for {graph.name}: name a .json file, {names}")
    scheme.check(layers)
    return scheme


def fitting_names(layers: TrainableLayers) -> list[str]:
    """Names that ``resolve_scheme`` knows for a network."""
    return ["last-layer", "bias-only", "last-N", *(name for name in PUBLISHED if _fits(name, layers))]


def _general(text: str, layers: TrainableLayers) -> UpdateScheme | None:
    count = len(layers.convolutions)
    if text == "last-layer":
        return UpdateScheme(text)
    if text == "bias-only":
        return UpdateScheme(text, count)
    match = _LAST_N.match(text)
    if match is None:
        return None
    last = int(match[1])
    return UpdateScheme(text, last, {index: 1.0 for index in range(max(count - last, 0), count)})


def _published(text: str, layers: TrainableLayers) -> UpdateScheme | None:
    names = [name for name in PUBLISHED if name == text or name.split("/")[1] == text]
    for name in names:
        if _fits(name, layers):
            entry = PUBLISHED[name]
            return UpdateScheme(name, entry.bias_last, dict(entry.weights))
    return None


def _fits(name: str, layers: TrainableLayers) -> bool:
    return NETWORKS[name.split("/")[0]] == layers.signature
