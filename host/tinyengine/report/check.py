"""What of a network is supported, as a table and as JSON."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from tinyengine.compiler import CompiledModel
from tinyengine.compiler.survey import Judged, Survey
from tinyengine.project.budget import measure_code
from tinyengine.report.figures import int8_sentence
from tinyengine.sizes import format_size

_PLACE = re.compile(r"^(operator \d+ \(.*?\) with tensor -?\d+ \(.*?\)|node \d+ \(.*?\)) ")
MOST_NUMBERS = 8


def check_figures(survey: Survey, cpu: str) -> dict[str, Any]:
    """The keys are a contract. ``takes`` is null for a network that is not supported."""
    return {
        "model": survey.name,
        "supported": survey.supported,
        "tflite_micro": all(operator.tflite_micro for operator in survey.operators),
        "operators": [
            dataclasses.asdict(operator) | {"supported": operator.supported} for operator in survey.operators
        ],
        "other": survey.other,
        "takes": _takes(survey.compiled, survey.smallest, cpu) if survey.compiled and survey.smallest else None,
    }


def _takes(compiled: CompiledModel, smallest: CompiledModel, cpu: str) -> dict[str, Any]:
    code = measure_code(compiled)
    return {
        "cpu": cpu,
        "macs": compiled.macs,
        "arena_bytes": compiled.plan.arena_bytes,
        "arena_bytes_smallest": smallest.plan.arena_bytes,
        "states_bytes": compiled.states_bytes,
        "flash_bytes": {"weights": compiled.weight_bytes, "code": code.flash if code else None},
    }


def check_table(figures: dict[str, Any], survey: Survey) -> Group:
    """Operators by kind, then why some are refused, then what the network takes."""
    table = Table(title=survey.name, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for column in ("operator", "type", "number", "tinyengine", "TFLite Micro"):
        table.add_column(column, justify="right" if column == "number" else "left", no_wrap=True)
    kinds = dict.fromkeys((operator.operator, operator.type) for operator in survey.operators)
    for kind, dtype in kinds:
        these = [o for o in survey.operators if (o.operator, o.type) == (kind, dtype)]
        table.add_row(kind, dtype, str(len(these)), _verdict(these), "yes" if these[0].tflite_micro else "no")
    return Group(table, *(Text(line, overflow="fold") for line in _sentences(survey, figures)))


def _verdict(operators: list[Judged]) -> str:
    refused = sum(operator.why is not None for operator in operators)
    unjudged = sum(operator.after is not None for operator in operators)
    if not refused and not unjudged:
        return "yes"
    if refused == len(operators):
        return "no"
    parts = [f"{refused} no" if refused else "", f"{unjudged} unknown" if unjudged else ""]
    return ", ".join(part for part in parts if part)


def _sentences(survey: Survey, figures: dict[str, Any]) -> Iterator[str]:
    """Each reason once, with all operators that it holds for."""
    reasons: dict[str, dict[str, list[int]]] = {}
    for operator in survey.operators:
        if operator.why is not None:
            reasons.setdefault(_PLACE.sub("", operator.why), {}).setdefault(operator.operator, []).append(
                operator.index
            )
    for reason, kinds in reasons.items():
        yield f"{', '.join(f'{kind} ({_shown(numbers)})' for kind, numbers in kinds.items())} {reason}"
    yield from survey.other
    unknown = [operator for operator in survey.operators if operator.after is not None]
    if unknown:
        numbers = _shown([operator.index for operator in unknown])
        yield f"operators {numbers} are not judged, because they read what a refused operator computes"
    takes = figures["takes"]
    if takes:
        code = takes["flash_bytes"]["code"]
        flash = f"{format_size(code)} code" if code is not None else "code not measured, no compiler"
        yield f"supported; on a {takes['cpu']} it takes"
        yield f"  work   {takes['macs']:,} MACs"
        states = f", and {format_size(takes['states_bytes'])} of states" if takes["states_bytes"] else ""
        smallest = format_size(takes["arena_bytes_smallest"])
        yield f"  SRAM   {format_size(takes['arena_bytes'])} arena ({smallest} with --optimize sram){states}"
        yield f"  flash  {format_size(takes['flash_bytes']['weights'])} weights, {flash}"
        saving = int8_sentence(survey.compiled) if survey.compiled else None
        if saving:
            yield f"  type   {saving}"
    else:
        yield "not supported as it is" + ("; TFLite Micro runs it" if figures["tflite_micro"] else "")


def _shown(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:MOST_NUMBERS])) + (", ..." if len(numbers) > MOST_NUMBERS else "")
