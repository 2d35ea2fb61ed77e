"""What training a part of a network is worth: accuracy gained over training the classifier alone.

Measured are the biases of the last k convolutions without any weights, and the weights of one convolution at several
ratios together with the biases that this ratio needs behind it, less what those biases give alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyengine.errors import DataError
from tinyengine.paths import replacing
from tinyengine.progress import Progress, silent
from tinyengine.training.layers import TrainableLayers
from tinyengine.training.scheme import UpdateScheme

RATIOS = (0.125, 0.25, 0.5, 1.0)

Probe = Callable[[UpdateScheme], float]
"""Trains what a scheme names and returns the accuracy on held-out samples, 0 to 1."""


@dataclass(frozen=True)
class Contributions:
    """Accuracy (0 to 1). ``base``: the classifier alone. ``biases``: gain by the last k convolutions' biases.
    ``weights``: gain by a convolution's weights, by index and ratio."""

    base: float
    biases: dict[int, float]
    weights: dict[int, dict[float, float]]

    def score(self, scheme: UpdateScheme) -> float:
        """The sum of the gains that ``scheme`` collects; biases between two measured k count as the lower one."""
        known = [k for k in self.biases if k <= scheme.bias_last]
        bias = self.biases[max(known)] if known else 0.0
        return bias + sum(self.weights[index][ratio] for index, ratio in scheme.weights.items())


def depths(convolutions: int, deepest: int) -> list[int]:
    """Numbers of trailing convolutions whose biases are measured: every one up to 6, then every second."""
    deepest = min(deepest, convolutions)
    chosen = [k for k in range(1, deepest + 1) if k <= 6 or k % 2 == 0]
    return chosen if deepest in chosen else [*chosen, deepest]


def weight_candidates(layers: TrainableLayers, deepest: int) -> list[int]:
    """Convolutions among the last ``deepest`` whose weights are worth asking about: all but depthwise ones, which hold
    hardly any weights and whose inputs are the widest tensors of a block."""
    first = len(layers.convolutions) - deepest
    return [
        layer.index
        for layer in layers.convolutions
        if layer.index is not None and layer.index >= first and not layer.depthwise
    ]


def measure(
    layers: TrainableLayers,
    probe: Probe,
    deepest: int,
    ratios: Sequence[float] = RATIOS,
    progress: Progress = silent,
    checkpoint: Path | None = None,
) -> Contributions:
    """Measure everything within the last ``deepest`` convolutions.

    ``checkpoint``: a file that receives every single measurement and is continued if it exists; DataError if it belongs
    to something else.
    """
    count = len(layers.convolutions)
    schemes = [UpdateScheme("last-layer"), *_bias_schemes(count, deepest), *_weight_schemes(layers, deepest, ratios)]
    known = _load(checkpoint)
    for number, scheme in enumerate(schemes):
        key = _key(scheme)
        if key not in known:
            known[key] = probe(scheme)
            if checkpoint is not None:
                _save(checkpoint, known)
        progress(number + 1, len(schemes))

    base = known[_key(schemes[0])]
    biases = {scheme.bias_last: known[_key(scheme)] - base for scheme in _bias_schemes(count, deepest)}
    partial = Contributions(base, biases, {})
    weights: dict[int, dict[float, float]] = {}
    for scheme in _weight_schemes(layers, deepest, ratios):
        [(index, ratio)] = scheme.weights.items()
        alone = partial.score(UpdateScheme("biases", scheme.bias_last))
        weights.setdefault(index, {})[ratio] = known[_key(scheme)] - base - alone
    return Contributions(base, biases, weights)


def _bias_schemes(count: int, deepest: int) -> Iterator[UpdateScheme]:
    for k in depths(count, deepest):
        yield UpdateScheme(f"biases of the last {k}", k)


def _weight_schemes(layers: TrainableLayers, deepest: int, ratios: Sequence[float]) -> Iterator[UpdateScheme]:
    for index in weight_candidates(layers, deepest):
        for ratio in ratios:
            name = f"weights of convolution {index}, ratio {ratio:g}"
            yield UpdateScheme(name, len(layers.convolutions) - index, {index: ratio})


def _key(scheme: UpdateScheme) -> str:
    return f"{scheme.bias_last} {sorted(scheme.weights.items())}"


def _load(checkpoint: Path | None) -> dict[str, float]:
    if checkpoint is None or not checkpoint.exists():
        return {}
    try:
        data = json.loads(checkpoint.read_text())
        return {str(key): float(value) for key, value in data.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{checkpoint} is no checkpoint of a scheme search: delete it or name another one") from error


def _save(checkpoint: Path, known: dict[str, float]) -> None:
    with replacing(checkpoint) as partial:
        partial.write_text(json.dumps(known, indent=1) + "\n")


def to_json(contributions: Contributions) -> str:
    """Readable JSON with keys as text."""
    return json.dumps(asdict(contributions), indent=2) + "\n"
