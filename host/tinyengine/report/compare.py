"""The first layer that differs from the reference, for people."""

from __future__ import annotations

from collections.abc import Iterator

from tinyengine.compare import Comparison


def compare_lines(comparison: Comparison) -> Iterator[str]:
    """One sentence where all is equal, else the layer and both values."""
    first = comparison.first
    if comparison.skipped:
        yield f"not compared, because nothing of them lies in the arena: {', '.join(comparison.skipped)}"
    if first is None:
        yield f"all {comparison.compared} layers equal the reference"
        return
    position = ", ".join(map(str, first.index))
    yield f"layer {first.layer} of {comparison.layers} differs: {first.name} ({first.function})"
    yield f"  tensor    {first.tensor} at [{position}]: expected {first.expected:g}, got {first.got:g}"
    yield f"  in all    {first.differing:,} of {first.elements:,} values differ"
    if len(first.operators) > 1:
        chain = "patches" if first.form == "patch" else "rows"
        yield f"  computed  in one chain, by {chain}: {', '.join(first.operators)}"
        yield "            (--optimize time keeps most layers apart, so that the one of them can be told)"
    if first.layer == 0:
        yield "  before it every input is as the reference has it"
    else:
        yield f"  before it {first.layer} layers are as the reference has them"
