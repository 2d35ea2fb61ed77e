"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import click

from tinyengine.boards import Board
from tinyengine.compiler import CompileOptions
from tinyengine.cores import core
from tinyengine.errors import TinyEngineError
from tinyengine.sizes import parse_size

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


class SizeType(click.ParamType):
    """A size in bytes: ``65536``, ``64K``, ``1M``."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


SIZE = SizeType()


class FiniteRange(click.FloatRange):
    """A number within limits; what has none ends at the largest finite one, and NaN is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


def setting(name: str, kind: Any, default: Any, text: str) -> Callable[[F], F]:
    """An option with a default that --help shows."""
    return click.option(name, type=kind, default=default, show_default=True, help=text)


def fields_of(kind: type[T], settings: Mapping[str, Any], **more: Any) -> T:
    """The dataclass ``kind`` from those of a command's ``settings`` that are its fields, and from ``more``."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in settings.items() if name in names}, **more)


json_option = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")

_BUILT_WITH = [
    click.option(
        "--input",
        "input_mode",
        type=click.Choice(["rows", "frame", "sound"]),
        default="frame",
        show_default=True,
        help="How the network is fed: whole frames, rows as they arrive, or sound, which its audio front end, as its "
        "MODEL.json describes it, turns into its input on the device.",
    ),
    setting("--optimize", click.Choice(["time", "sram", "flash"]), "time", "What to minimize."),
    click.option(
        "--sram", type=SIZE, help="Cap on the arena, e.g. 64K (default: what the board has, if one is given)."
    ),
    setting(
        "--max-recompute",
        FiniteRange(min=1.0),
        1.0,
        "Executed over nominal MACs that are allowed where that saves SRAM, e.g. 1.1.",
    ),
    click.option(
        "--requant",
        type=click.Choice(["exact", "fast"]),
        help="Rounding of outputs: exact equals TFLite's reference kernels bit for bit, fast is off by 1 now and then "
        "(default: fast where the core has kernels for it; with --train exact, so that a pulled network equals the "
        "device).",
    ),
]
"""What decides how a network for inference is scheduled, and how it rounds."""

_COMPILE_OPTIONS = [
    *_BUILT_WITH[:3],
    click.option("--flash", type=SIZE, help="Cap on code and weights, e.g. 512K (default: as for --sram)."),
    *_BUILT_WITH[3:],
    click.option("--train", "train_scheme", metavar="SCHEME", help="Train on the device with this update scheme."),
    click.option("--classes", type=click.IntRange(min=2), metavar="K", help="Replace the classifier for K classes."),
    click.option("--residual", is_flag=True, help="Keep 8 further bits of every trained weight."),
    click.option("--velocity", is_flag=True, help="Keep 4 bytes per trained constant, for momentum and batches."),
    setting(
        "--segment",
        click.IntRange(min=1),
        CompileOptions.segment,
        "Of a language model: tokens of a training step.",
    ),
    setting(
        "--gradients",
        click.Choice(["int16", "float32"]),
        "int16",
        "Numbers of the backward pass; float32 is slow and for comparison.",
    ),
]


def with_options(options: Sequence[Callable[[F], F]], function: F) -> F:
    """``function`` as a command with ``options``, in their order."""
    for option in reversed(options):
        function = option(function)
    return function


def compile_options(function: F) -> F:
    """The option group of compile, build, bench and plan; pass the values to :func:`to_compile_options`."""
    return with_options(_COMPILE_OPTIONS, function)


def built_with_options(function: F) -> F:
    """Those of :func:`compile_options` that change the code of an inference, under the same names."""
    return with_options(_BUILT_WITH, function)


def to_compile_options(
    place: Board | str,
    input_mode: str,
    optimize: str,
    sram: int | None,
    max_recompute: float,
    requant: str | None,
    flash: int | None = None,
    train_scheme: str | None = None,
    classes: int | None = None,
    residual: bool = False,
    velocity: bool = False,
    gradients: str = "int16",
    segment: int = CompileOptions.segment,
    prefix: str = "network",
) -> CompileOptions:
    """CompileOptions from the values of :func:`compile_options`. ``place``: a board, or the name of a core alone."""
    if train_scheme is None and (classes is not None or residual or velocity or gradients != "int16"):
        raise TinyEngineError(
            "--classes, --residual, --velocity and --gradients say how a network is trained: give --train SCHEME as "
            "well"
        )
    board = None if isinstance(place, str) else place
    cpu = place if isinstance(place, str) else place.cpu
    return CompileOptions(
        cpu=cpu,
        input=input_mode,
        optimize=optimize,
        requant=requant or (core(cpu).requant if train_scheme is None else "exact"),
        sram=sram,
        sram_available=board.network_sram_bytes if board else None,
        camera_width=board.camera_width if board else 0,
        flash=flash,
        max_recompute=max_recompute,
        prefix=prefix,
        train=train_scheme,
        classes=classes,
        residual=residual,
        velocity=velocity,
        gradients=gradients,
        segment=segment,
    )
