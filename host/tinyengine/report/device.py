"""Tables of ``info`` and ``devices``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group
from rich.table import Table

from tinyengine.device import Identity, LayerProfile, Statistics
from tinyengine.device.discovery import FoundPort
from tinyengine.device.training import TrainingInfo
from tinyengine.report.training import info_report
from tinyengine.sizes import format_size


def device_report(
    identity: Identity,
    statistics: Statistics,
    profile: list[LayerProfile] | None,
    baud: int,
    training: TrainingInfo | None = None,
) -> dict[str, Any]:
    """Plain JSON values."""
    data: dict[str, Any] = {"identity": asdict(identity), "statistics": asdict(statistics), "baud": baud}
    if profile is not None:
        data["profile"] = [asdict(layer) for layer in profile]
    if training is not None:
        data["training"] = info_report(training)
    return data


def device_tables(
    identity: Identity,
    statistics: Statistics,
    profile: list[LayerProfile] | None,
    baud: int,
    training: TrainingInfo | None = None,
) -> Group:
    """Who the device is, how it fares, and what each layer takes."""
    facts = Table(show_header=False, title=f"{identity.board} runs {identity.model}")
    rows: list[tuple[str, str]] = [
        ("firmware", f"{identity.firmware}, protocol {identity.protocol}"),
        ("network", f"{identity.model}, hash {identity.model_hash}, {identity.macs / 1e6:.2f} M MACs"),
    ]
    for kind, ports in (("input", identity.inputs), ("output", identity.outputs)):
        for port in ports:
            shape = "x".join(map(str, port.shape))
            rows.append(
                (kind, f"{port.name}: {port.dtype} {shape}, scale {port.scale:.6g}, zero point {port.zero_point}")
            )
    classes = (training.class_names if training else ()) or identity.metadata.classes
    if classes:
        shown = ", ".join(classes[:8]) + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
        untaught = training.classes - len(classes) if training else 0
        rows.append(("classes", shown + (f"; {untaught} more can be taught" if untaught > 0 else "")))
    ways = [way for way, can in (("whole frames", identity.by_frame), ("rows", identity.by_rows)) if can]
    rows += [
        ("takes", " or ".join(ways)),
        (
            "arena",
            f"{format_size(identity.arena_bytes)}, {format_size(statistics.arena_high_water)} of it written so far",
        ),
        ("stack", f"{format_size(statistics.stack_used)} used of {format_size(statistics.stack_size)}"),
        ("runs", f"{statistics.runs}, the last took {statistics.last_count} {identity.counter_unit}"),
        ("line", f"{baud} baud, {statistics.frames_received} frames, {statistics.frames_damaged} damaged"),
        ("up for", f"{statistics.uptime_ms / 1000:.1f} s"),
    ]
    if training is not None:
        saved = "saved" if training.saved else "not saved" if training.complete else "incomplete"
        outputs = f", {training.classes} outputs" if training.classes else ""  # a language model tells no classes apart
        rows.append(
            (
                "training",
                f"{training.scheme}{outputs}: {training.trained_weights} weights, "
                f"{training.trained_biases} biases, {training.steps} steps so far, {saved}",
            )
        )
    for row in rows:
        facts.add_row(*row)
    return Group(facts, _profile_table(identity, profile)) if profile else Group(facts)


def _profile_table(identity: Identity, profile: list[LayerProfile]) -> Table:
    table = Table(title="layers")
    table.add_column("#", justify="right")
    table.add_column("name", overflow="fold")
    table.add_column("operator")
    for title in ("MACs", identity.counter_unit, "per MAC", "share"):
        table.add_column(title, justify="right")
    total = max(sum(layer.count for layer in profile), 1)
    for number, layer in enumerate(profile):
        per_mac = f"{layer.count / layer.macs:.2f}" if layer.macs else ""
        share = f"{100 * layer.count / total:.1f} %"
        table.add_row(str(number), layer.name, layer.op, str(layer.macs), str(layer.count), per_mac, share)
    return table


def devices_table(found: Sequence[FoundPort]) -> Table:
    """One row per port."""
    table = Table()
    for title in ("port", "what the system says", "board", "network"):
        table.add_column(title, overflow="fold")
    for port in found:
        if port.identity:
            table.add_row(port.port, port.description, port.identity.board, port.identity.model)
        else:
            table.add_row(port.port, port.description, port.problem or "(not asked: no USB port)", "")
    if not found:
        table.caption = "no serial ports; simulated boards need none: --port sim:BOARD"
    return table
