"""Patches against published analyses of patch-based inference: fewer bytes at no more work.

Points: (activation bytes, executed over nominal MACs). The smallest ones are below the size of the input picture, which
they therefore leave out. Ours count everything that holds values, the rows of the input included.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from tinyengine.frontend.tflite import load_tflite
from tinyengine.kernels.base import Target
from tinyengine.passes import optimize
from tinyengine.schedule.search import smallest_of_each, space_of
from tinyengine.zoo.export import export
from tinyengine.zoo.table import find

PUBLISHED = {
    "mcunet-vww1": [
        (38_576, 1.023),
        (32_792, 1.039),
        (26_128, 1.113),
        (17_760, 1.296),
        (13_376, 1.345),
        (12_000, 1.96),
    ],
    "mbv2-w0.35": [(67_905, 1.097), (21_288, 1.298), (15_340, 1.38)],
    "mcunet-in3": [(190_096, 1.04), (156_672, 1.37), (94_184, 1.455), (62_880, 2.02), (42_643, 2.69)],
}
"""mbv2-w0.35 with 7,887 bytes at 1.68 is not among them: see docs/memory.md."""

CAPS = {"mcunet-vww1": (1.0, 1.296), "mbv2-w0.35": (1.0, 1.298), "mcunet-in3": (1.0, 1.10, 2.02)}
"""Caps on work for which schedules are searched, ascending; what they reach serves all points that allow more work."""


@cache
def reached(name: str, folder: str) -> list[tuple[int, int, float]]:
    """(arena, activation peak, executed over nominal MACs) of a schedule for each cap."""
    path = Path(folder) / f"{name}.tflite"
    export(find(name), path)
    space = space_of(optimize(load_tflite(path)), Target(optimize="sram", requant="fast"), rows=True)
    assert space.pushed
    points = []
    for cap, found in zip(CAPS[name], smallest_of_each(space, CAPS[name]), strict=True):
        executed, nominal = (sum(getattr(stage, key) for stage in found.stages) for key in ("macs_executed", "macs"))
        assert executed <= cap * nominal
        points.append((found.plan.arena_bytes, found.plan.activation_peak_bytes, executed / nominal))
    return points


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_point_is_undercut(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("tensorflow")
    ours = reached(name, str(tmp_path_factory.getbasetemp()))
    for published, work in PUBLISHED[name]:
        peaks = [peak for _, peak, executed in ours if executed <= work]
        assert peaks and min(peaks) <= published, (published, work, ours)
    if name == "mcunet-in3":
        assert min(arena for arena, _, executed in ours if executed <= 1.10) <= 52 * 1024
