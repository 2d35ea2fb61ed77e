"""What the commands that train on a device, or use what was trained, share."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from tinyengine.cli.device_options import BY_ROWS, COLOR, MAPPING, connected
from tinyengine.cli.options import with_options
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.number_sets import NumberSet, holds_numbers, read_number_set
from tinyengine.data.numbers import Windows
from tinyengine.data.reader import read_pictures
from tinyengine.data.samples import Arrays, labelled
from tinyengine.device import Device
from tinyengine.device.recognition import input_form
from tinyengine.device.training import DeviceTrainer, TrainingInfo
from tinyengine.errors import DataError
from tinyengine.progress import Activity, part

F = TypeVar("F", bound=Callable[..., Any])

_PICTURE_OPTIONS = [
    click.option(
        "--classes",
        metavar="NAMES|N",
        help="Names of the classes, in the order of the outputs (a,b,c), or how many outputs take part (default: the "
        "classes that the device has learned, else those of the data).",
    ),
    click.option(
        "--map",
        "renamed",
        metavar="OLD=NEW",
        multiple=True,
        help="What a class of the data is called on the device; may be given several times.",
    ),
    MAPPING,
    COLOR,
    BY_ROWS,
]


def picture_options(function: F) -> F:
    """How labelled pictures become samples: --classes, --map, --mapping, --color, --rows."""
    return with_options(_PICTURE_OPTIONS, function)


@contextmanager
def trainer(by_rows: bool | None = None, **connection: Any) -> Iterator[DeviceTrainer]:
    """The trainer of the device at ``connection`` (values of ``device_options``) for a ``with`` block."""
    with connected(**connection) as device:
        yield DeviceTrainer(device, by_rows)


def read_inputs(path: Path, device: Device, metadata: ModelMetadata, windows: Windows, activity: Activity) -> Arrays:
    """The labelled pictures or numbers at ``path`` as inputs of the device, also of a single class: it may be one of
    several that a device knows. DataError where none has a label."""
    found = read_truth(path, device, metadata, windows, activity)
    return found.labelled(path) if isinstance(found, NumberSet) else found


def input_meaning(device: Device, metadata: ModelMetadata, samples: Arrays) -> str:
    """What the samples' values stand for, in words that differ where they cannot be mixed."""
    ports = (
        f"{'x'.join(map(str, port.shape))} {port.dtype} {port.scale:g} {port.zero_point}"
        for port in device.identity.inputs
    )
    sent = f"{'x'.join(map(str, samples.values.shape[1:]))} {samples.values.dtype}"
    return f"{', '.join(ports)}; {metadata.mapping.text or metadata.mapping}; sent as {sent}"


def read_truth(
    path: Path, device: Device, metadata: ModelMetadata, windows: Windows, activity: Activity
) -> Arrays | NumberSet:
    """As :func:`read_inputs`; numbers that come with what the network should answer as they are."""
    if holds_numbers(path):
        numbers = read_number_set(path, device.identity.inputs, windows)
        if device.identity.has_states and any(sample.goes_on for sample in numbers.samples):
            raise DataError(
                f"{device.identity.model} hears a file step by step, so its windows are no samples of their own: "
                "'tinyengine infer' shows what it answers, and when"
            )
        return numbers if numbers.targets is not None else numbers.labelled(path)
    form = input_form(device, metadata)
    pictures = labelled(read_pictures(path, labelled=False), path, fewest=1)
    return pictures.inputs(form, part(activity, f"reading {path.name}"))


_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopping:
    """Whether somebody wants the program to end: Ctrl-C, or a signal of the system."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self) -> bool:
        return self._number != 0

    @property
    def exit_code(self) -> int:
        """What shells expect of a program that a signal has ended."""
        return 128 + self._number

    def note(self, number: int, frame: object) -> None:
        """The signal's handler. The second one ends the program at once."""
        if self._number:
            raise KeyboardInterrupt
        self._number = number


@contextmanager
def until_stopped() -> Iterator[Stopping]:
    """A function that says whether Ctrl-C, SIGTERM or SIGHUP came in the block.

    So that the device is left between two steps and can still be asked what it holds.
    """
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():  # only that one gets signals
        yield stopping
        return
    former = [signal.signal(number, stopping.note) for number in _SIGNALS]
    try:
        yield stopping
    finally:
        for number, handler in zip(_SIGNALS, former, strict=True):
            signal.signal(number, handler)


def what_it_holds(info: TrainingInfo, simulated: bool, pushed: bool = False) -> str:
    """One sentence about the state on the device, and what becomes of it; ``pushed``: it has just come from here."""
    if not info.complete:
        return "The device's trained weights are incomplete: push again, or use 'tinyengine restore' or 'reset'."
    if pushed:
        held = "The device holds the pushed weights"
    elif info.steps == 0:
        held = "The device holds the factory's weights"
    else:
        held = f"The device holds weights after {info.steps} training steps"
    if names := info.class_names:
        part_of = "" if len(names) == info.classes else f" on {len(names)} of its {info.classes} outputs"
        held += f" for {', '.join(names)}{part_of}"
    if info.saved:
        return f"{held}, saved in its flash (generation {info.storage.generation})."
    if simulated:
        return f"{held}, which end with the simulation unless they are saved (--save) in a --flash-file."
    return f"{held}, not saved: 'tinyengine save' keeps them over a power loss."


def is_simulated(port: str) -> bool:
    """Whether the device ends with the command."""
    return port.startswith("sim:")
