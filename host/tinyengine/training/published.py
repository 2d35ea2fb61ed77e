"""The published update schemes: three networks, five memory budgets each.

Source: the search results of "On-Device Training Under 256KB Memory" (Lin et al., NeurIPS 2022). Their names say how
much extra memory they were allowed, in KiB, at 128x128 pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class PublishedScheme:
    """A scheme and the figures its authors count for it: extra memory in KiB, trained weights (biases not counted)."""

    bias_last: int
    weights: MappingProxyType[int, float]
    extra_kib: float
    trained_weights: int


def _scheme(
    bias_last: int, extra_kib: float, trained_weights: int, *ratios: tuple[Iterable[int], float]
) -> PublishedScheme:
    weights = {index: ratio for indices, ratio in ratios for index in indices}
    return PublishedScheme(bias_last, MappingProxyType(dict(sorted(weights.items()))), extra_kib, trained_weights)


PUBLISHED: dict[str, PublishedScheme] = {
    "mcunet-5fps/49kb": _scheme(20, 49.8, 12096, ([24], 0.25), ([27, 30], 0.5)),
    "mcunet-5fps/74kb": _scheme(21, 74.8, 29440, ([21, 24, 30], 1), ([27], 0.5)),
    "mcunet-5fps/99kb": _scheme(22, 99.8, 52480, ([21, 24, 27, 30], 1), ([36], 0.125), ([39], 0.25)),
    "mcunet-5fps/124kb": _scheme(24, 125.0, 75328, ([21], 0.25), ([24, 27, 30], 1), ([33, 39], 0.5)),
    "mcunet-5fps/148kb": _scheme(23, 148.4, 98560, ([21, 24, 27, 30, 36], 1), ([39], 0.5)),
    "mbv2-w0.35/49kb": _scheme(16, 49.8, 22410, ([36, 39], 1), ([41], 0.25), ([42, 45, 48, 49], 0.125)),
    "mbv2-w0.35/73kb": _scheme(20, 73.9, 39072, ([32, 42, 45], 0.125), ([33, 36], 0.5), ([39, 48], 1), ([41], 0.25)),
    "mbv2-w0.35/99kb": _scheme(25, 99.4, 55920, ([27, 30, 33, 36, 39, 48], 1), ([42], 0.125), ([45], 0.5)),
    "mbv2-w0.35/123kb": _scheme(31, 123.6, 72384, ([27, 30, 33, 36, 39, 45, 48], 1), ([42], 0.5)),
    "mbv2-w0.35/138kb": _scheme(34, 138.2, 81792, ([27, 30, 33, 36, 39, 42, 45, 48], 1)),
    "proxyless-w0.3/49kb": _scheme(21, 49.7, 20736, ([39, 54, 57], 0.25), ([42, 45], 1), ([51], 0.125)),
    "proxyless-w0.3/74kb": _scheme(28, 74.9, 36288, ([33, 51, 57], 0.5), ([36, 54], 0.25), ([39, 42, 45], 1)),
    "proxyless-w0.3/98kb": _scheme(25, 98.5, 62976, ([36, 42, 45, 54, 57], 1), ([39, 51], 0.5), ([48], 0.25)),
    "proxyless-w0.3/120kb": _scheme(32, 120.2, 76800, ([36, 39, 42, 45, 51, 54, 57], 1), ([48], 0.5)),
    "proxyless-w0.3/148kb": _scheme(45, 148.2, 89088, ([36, 39, 42, 45, 48, 51, 54, 57], 1)),
}

NETWORKS = {
    "mcunet-5fps": "7a6f7e5d972ae53a",
    "mbv2-w0.35": "2117aacac8f5d7e7",
    "proxyless-w0.3": "0c2be22fef1ffe6e",
}
"""The networks that the schemes are for, by ``TrainableLayers.signature``."""
