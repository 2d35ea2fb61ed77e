"""What lies where in the arena while a board runs a network, layer by layer: from the network's file, compiled again
with the options that the board's own words allow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from tinyengine.boards import load, names
from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.device import Identity
from tinyengine.device.training import TrainingInfo
from tinyengine.errors import BoardError, TinyEngineError
from tinyengine.report.arena import boxes


def find_plan(model: Path, identity: Identity, info: TrainingInfo | None) -> CompiledModel | None:
    """The compiled network that the board runs; None where no usual set of options gives it. BoardError where the board
    has a name that is none of the checkout's."""
    if identity.board not in names():  # a device says which, so it must not be a file's path
        raise BoardError(
            f"the board calls itself '{identity.board}', which is none of the checkout's boards, so the page does not "
            "show what lies where in the arena: put its description into boards/"
        )
    for options in _candidates(identity, info):
        try:
            compiled = compile_model(model, options)
        except TinyEngineError:
            continue
        same = compiled.model_hash == identity.model_hash and compiled.plan.arena_bytes == identity.arena_bytes
        if same and len(compiled.calls) == identity.layers:
            return compiled
    return None


def _candidates(identity: Identity, info: TrainingInfo | None) -> Iterator[CompileOptions]:
    board = load(identity.board)
    for optimize, residual, head in product(("time", "sram"), (False, True), (True, False)):
        if info is None and (residual or not head):
            continue
        yield CompileOptions(
            cpu=board.cpu,
            input="frame" if identity.by_frame else "rows",
            optimize=optimize,
            requant="exact" if info else "fast",
            sram_available=board.network_sram_bytes,
            camera_width=board.camera_width,
            train=info.scheme if info else None,
            classes=info.classes if info and head else None,
            residual=residual,
            velocity=bool(info and info.velocity),
            gradients=info.gradients if info else "int16",
        )


def places(compiled: CompiledModel) -> list[dict[str, Any]]:
    """What lies in the arena during an inference: name, kind, address, bytes, first and last layer, numbered as the
    board numbers them."""
    steps = [number for number, call in enumerate(compiled.planned) if not call.is_view and call.role == "forward"]
    found = []
    for box in boxes(compiled.graph, compiled.planned, compiled.plan):
        first, last = bisect_left(steps, box.first), _last(steps, box.last)
        if first < len(steps) and last >= first:
            found.append(
                {
                    "name": box.name,
                    "kind": box.kind,
                    "address": box.address,
                    "bytes": box.size,
                    "first": first,
                    "last": last,
                }
            )
    return found


def _last(steps: Sequence[int], step: int) -> int:
    """The last layer that is not behind ``step``."""
    return bisect_left(steps, step + 1) - 1
