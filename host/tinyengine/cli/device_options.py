"""Options of the commands that talk to a device, and how they become one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from tinyengine.audio import Hearing
from tinyengine.cli.options import with_options
from tinyengine.compiler import model_hashes
from tinyengine.data.metadata import ModelMetadata, load_metadata
from tinyengine.data.numbers import Windows
from tinyengine.device import Device, open_device
from tinyengine.device.recognition import Recognizer
from tinyengine.errors import DataError

F = TypeVar("F", bound=Callable[..., Any])

PICTURES = click.option(
    "--pictures",
    type=click.Path(path_type=Path),
    help="sim: only: a picture, a folder or an archive of them: what the board's camera sees, one after the other.",
)
_PORT_OPTIONS = [
    click.option(
        "--port",
        required=True,
        help="Serial port (/dev/ttyACM0, COM3), socket://HOST:PORT, or sim:BOARD for a simulated board.",
    ),
    click.option("--elf", type=click.Path(path_type=Path), help="sim: only: firmware to run (default: built last)."),
    click.option(
        "--simulator",
        type=click.Choice(["qemu", "renode"]),
        help="sim: only: the program that simulates the board (default: the first one that its description names).",
    ),
    click.option(
        "--flash-file",
        "flash",
        type=click.Path(path_type=Path, dir_okay=False),
        help="sim: only: file that keeps what the board saves (created if there is none).",
    ),
    PICTURES,
]

_BAUD = click.option(
    "--baud",
    "highest_baud",
    type=click.IntRange(min=9600),
    default=2_000_000,
    show_default=True,
    help="Highest rate to negotiate; connections start at 115200.",
)

MAPPING = click.option("--mapping", help="What a pixel stands for, e.g. pixel/127.5-1 (default: as the network says).")
COLOR = click.option(
    "--color",
    type=click.Choice(["rgb", "luma"]),
    help="Colour of what is sent; luma is a third of rgb (default: as the network says).",
)
BY_ROWS = click.option("--rows/--frame", "by_rows", default=None, help="Compute while rows arrive, or after them all.")

_WINDOW_OPTIONS = [
    click.option(
        "--hop",
        type=click.IntRange(min=1),
        help="Time series: lines from one sample to the next (default: as the network says, else as many as it takes).",
    ),
    click.option(
        "--window",
        type=click.IntRange(min=1),
        help="Time series: insist that so many lines are a sample.",
    ),
]

_MEANING_OPTIONS = [
    click.option("--model", type=click.Path(path_type=Path), help="Insist that the device runs this .tflite file."),
    MAPPING,
    COLOR,
    BY_ROWS,
]


def port_options(function: F) -> F:
    """--port and what a simulated board runs; pass the values to ``device.transport.open_port``."""
    return with_options(_PORT_OPTIONS, function)


def device_options(function: F) -> F:
    """--port and its companions; pass the values to :func:`connected`."""
    return with_options([*_PORT_OPTIONS, _BAUD], function)


def optional_device_options(function: F) -> F:
    """As :func:`device_options`, of commands that do without a device."""
    port = click.option("--port", help="Serial port, socket://HOST:PORT, or sim:BOARD (default: no device).")
    return with_options([port, *_PORT_OPTIONS[1:], _BAUD], function)


def window_options(function: F) -> F:
    """--hop and --window; pass the values to :func:`windows_of`."""
    return with_options(_WINDOW_OPTIONS, function)


def windows_of(metadata: ModelMetadata, hop: int | None, window: int | None) -> Windows:
    """How a series of numbers, or sound, becomes samples: as the user says, else as the network does."""
    ear = Hearing(metadata.audio) if metadata.audio else None
    return Windows(metadata.hop if hop is None else hop, window, ear)


def meaning_options(function: F) -> F:
    """--model and what overrides its meaning; pass the values to :func:`recognizer`."""
    return with_options(_MEANING_OPTIONS, function)


@contextmanager
def connected(
    port: str,
    elf: Path | None,
    simulator: str | None,
    highest_baud: int,
    model: Path | None = None,
    flash: Path | None = None,
    pictures: Path | None = None,
) -> Iterator[Device]:
    """The device at ``port`` for a ``with`` block; says on standard error that it is being connected."""
    models = model_hashes(model) if model is not None else None
    console = Console(stderr=True)
    with (
        console.status(f"connecting to {port}") as status,
        open_device(
            port,
            models=models,
            highest_baud=highest_baud,
            elf=elf,
            simulator=simulator,
            flash=flash,
            pictures=pictures,
        ) as device,
    ):
        status.stop()
        yield device


def check_drawn(board: Recognizer, folder: Path | None) -> None:
    """DataError where boxes are to be drawn in ``folder`` and the network finds none."""
    if folder and not board.detects:
        raise DataError(
            f"--draw shows boxes, and {board.device.identity.model} finds none: say in its MODEL.json which "
            "(docs/detection.md)"
        )


@contextmanager
def recognizer(
    model: Path | None, mapping: str | None, color: str | None, by_rows: bool | None, **connection: Any
) -> Iterator[Recognizer]:
    """The device of ``connection`` for a ``with`` block, with its network's meaning: from beside MODEL, else from the
    firmware, with the overrides."""
    with connected(model=model, **connection) as device:
        # a network that can be trained may have a new classifier, with other classes than the file says
        found = load_metadata(model) if model is not None and not device.identity.can_train else None
        metadata = (found or device.identity.metadata).override(mapping=mapping, color=color)
        yield Recognizer(device, metadata, by_rows)
