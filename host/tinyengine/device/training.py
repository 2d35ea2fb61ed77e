"""Training on a device: steps, evaluation, and the trained state's way in and out of its SRAM and flash.

Unlike inference, a step leaves a trace, so nothing here is repeated silently when the device has restarted: what was
not saved is lost then, and the caller must know.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from tinyengine.data.number_sets import inputs_of
from tinyengine.device.client import Device
from tinyengine.device.errors import RefusedError, RestartedError
from tinyengine.device.framing import Op, Status, answer_not_understood, fields
from tinyengine.errors import DataError, DeviceError
from tinyengine.step import TEXT_BYTES, Outcome, Sample, TextOutcome, Update

TARGET_STATE = OBJECT_STATE = 16
LAYOUT_DIGITS = 16
NAMES_BYTES = 256
"""What a device has for the names of all classes: UTF-8, a zero behind each."""
_COMPLETE, _SAVED, _STAGED, _VELOCITY, _FLOAT = 1, 2, 4, 8, 16


class Storage(IntEnum):
    """How a look into the flash ended."""

    OK = 0
    EMPTY = 1
    FOREIGN_MODEL = 2
    OTHER_VERSION = 3
    DAMAGED = 4
    TOO_LARGE = 5
    FLASH_ERROR = 6
    ABSENT = 7


_STORAGE_SENTENCES = {
    Storage.EMPTY: "nothing has been saved on this board: train, then use 'tinyengine save'",
    Storage.FOREIGN_MODEL: (
        "what is saved on this board belongs to another network or update scheme: build that one again, or train this "
        "one and save it"
    ),
    Storage.OTHER_VERSION: (
        "what is saved on this board was written by another version of the firmware: flash that version, or erase it "
        "with 'tinyengine reset --forget'"
    ),
    Storage.DAMAGED: "what was saved on this board is damaged: train again, or push a copy, and save it",
    Storage.TOO_LARGE: "the trained weights are too large for this board's flash slots: choose a smaller update scheme",
    Storage.FLASH_ERROR: "the board's flash does not work: the trained weights are still in its memory, so pull them",
    Storage.ABSENT: (
        "this board has no flash to save trained weights in (a simulated one needs --flash-file): pull them instead"
    ),
}


@dataclass(frozen=True)
class SavedState:
    """What the flash holds for this network. ``fallback``: a newer state was saved, but is damaged."""

    outcome: Storage
    slot: int = 0
    fallback: bool = False
    generation: int = 0
    steps: int = 0
    nbytes: int = 0

    def require(self) -> SavedState:
        """Itself if there is a state, else DeviceError with the reason."""
        if self.outcome is not Storage.OK:
            raise DeviceError(_STORAGE_SENTENCES[self.outcome])
        return self


@dataclass(frozen=True)
class TrainingInfo:
    """What can be trained on a device, and what its trained state is now."""

    scheme: str  # as given to the compiler
    layout: str  # what the bytes of the state mean: network, scheme, classes, options
    classes: int
    state_bytes: int
    trained_weights: int
    trained_biases: int
    steps: int  # behind the state
    state_crc: int
    complete: bool  # False: a push did not end
    saved: bool  # the state is the newest one in the flash
    push_keeps_old: bool  # a push that does not end changes nothing
    storage: SavedState
    velocity: bool = False  # momentum and batches are possible
    gradients: str = "int16"  # or float32
    class_names: tuple[str, ...] = ()  # of the first outputs, in their order; none: nobody has named them


@dataclass(frozen=True)
class DeviceOutcome(Outcome):
    """``steps``: behind the state."""

    steps: int
    count: int  # counter ticks
    milliseconds: int


class DeviceTrainer:
    """The trainer of a connected device. Raises DeviceError if its network was compiled without one."""

    def __init__(self, device: Device, by_rows: bool | None = None) -> None:
        if not device.identity.can_train:
            raise RefusedError(
                f"the network {device.identity.model} on this board cannot be trained: build it with --train SCHEME",
                Status.UNSUPPORTED,
            )
        self.device = device
        self._by_rows = by_rows
        self._connection = device.connection
        self._velocity = False  # known to be there

    def info(self) -> TrainingInfo:
        """Scheme, layout, and where the state comes from."""
        with _restart_told():
            answer = self._connection.request(Op.TRAIN_INFO, steady=False)
        state_bytes, weights, biases, steps, crc, classes, flags = fields("<5I2H", answer)
        saved = _storage(answer, 24)
        strings = answer[40:].split(b"\0")
        if len(strings) < 3:
            raise answer_not_understood()
        scheme, layout = (string.decode("utf-8", "replace") for string in strings[:2])
        return TrainingInfo(
            scheme=scheme,
            layout=layout,
            classes=classes,
            state_bytes=state_bytes,
            trained_weights=weights,
            trained_biases=biases,
            steps=steps,
            state_crc=crc,
            complete=bool(flags & _COMPLETE),
            saved=bool(flags & _SAVED),
            push_keeps_old=bool(flags & _STAGED),
            storage=saved,
            velocity=bool(flags & _VELOCITY),
            gradients="float32" if flags & _FLOAT else "int16",
            class_names=self._class_names(),
        )

    def require_velocity(self) -> None:
        """RefusedError unless the firmware keeps velocities. Older firmware would take the numbers of a batch for
        nothing, so they are not sent before this is known."""
        if not self._velocity and not self.info().velocity:
            raise RefusedError(
                "the firmware on this board has no memory for momentum and batches: build it with --velocity",
                Status.UNSUPPORTED,
            )
        self._velocity = True

    def step(self, values: np.ndarray, sample: Sample, update: Update) -> DeviceOutcome:
        """One training step on int8 input ``values`` (as :meth:`Device.infer` takes them; of a network with several
        inputs as ``number_sets.inputs_of`` does). RefusedError where ``update`` needs what the firmware does not have.
        """
        packed = update.pack()
        if update.needs_velocities:
            self.require_velocity()
        else:
            packed = packed[:12]
        return self._sample(Op.TRAIN_STEP, values, sample, packed)

    def evaluate(self, values: np.ndarray, sample: Sample) -> DeviceOutcome:
        """Loss and prediction of one sample; changes nothing."""
        return self._sample(Op.EVALUATE, values, sample)

    def learn(self, text: bytes, update: Update | None) -> TextOutcome:
        """Train a language model on the first tokens of ``text``, or judge it by them. RefusedError as :meth:`step`."""
        payload = b""
        if update is not None:
            if update.needs_velocities:
                self.require_velocity()
            payload = bytes(4) + update.pack()
        op = Op.EVALUATE_TEXT if update is None else Op.TRAIN_TEXT
        loss, tokens, taken, _, count, _ = fields("<f2H3I", self._request(op, payload + text[:TEXT_BYTES]))
        return TextOutcome(loss, tokens, taken, count)

    def name_classes(self, names: Sequence[str]) -> None:
        """Say what the first outputs are called; the names stay with the state, also where it is saved. DataError for
        more than the device has room for."""
        text = b"".join(name.encode() + b"\0" for name in names)
        if any("\0" in name for name in names) or len(text) > NAMES_BYTES:
            raise DataError(
                f"the names of the {len(names)} classes take {len(text)} bytes, and the device has {NAMES_BYTES} for "
                "them: give shorter ones with --map OLD=NEW"
            )
        self._request(Op.NAME_CLASSES, text)

    def reset(self) -> None:
        """Back to the factory's weights; the classes have no names then. What is saved stays, and comes back when the
        board restarts."""
        self._request(Op.RESET_STATE)

    def save(self) -> SavedState:
        """Write the state to the flash; the former one is kept until that has succeeded."""
        return _storage(self._request(Op.SAVE)).require()

    def restore(self) -> SavedState:
        """Go back to the state that was saved last."""
        return _storage(self._request(Op.RESTORE)).require()

    def forget(self) -> None:
        """Erase what is saved."""
        _storage(self._request(Op.FORGET)).require()

    def read_state(self) -> bytes:
        """The bytes of the state, checked."""
        info = self.info()
        with _restart_told():
            data = self._connection.download(OBJECT_STATE, 0, info.state_bytes)
        if zlib.crc32(data) != info.state_crc:
            raise DeviceError("the trained weights changed while they were read: does another program use the device?")
        return data

    def write_state(self, data: bytes, layout: str, steps: int = 0, names: Sequence[str] = ()) -> None:
        """Replace the state, in whole. ``layout`` is that of the device the bytes come from, ``steps`` the training
        behind them, ``names`` those of its classes."""
        info = self.info()
        if layout != info.layout:
            raise DataError(
                f"these trained weights have the layout {layout}, but the device's network has {info.layout}: they "
                f"belong to another network, update scheme or number of classes"
            )
        if len(data) != info.state_bytes:
            raise DataError(f"the trained weights are {len(data)} bytes, but the device has {info.state_bytes} of them")
        with _restart_told():
            self._connection.upload(TARGET_STATE, 0, data)
        accept = struct.pack("<II", zlib.crc32(data), steps & 0xFFFFFFFF)
        try:
            self._request(Op.ACCEPT_STATE, accept + layout.encode("ascii", "replace").ljust(LAYOUT_DIGITS, b"\0"))
        except RefusedError as error:
            if error.status != Status.INCOMPLETE:
                raise
            raise RefusedError("the trained weights did not arrive whole: push them again", error.status) from error
        if names:
            self.name_classes(names)

    # ----

    def _class_names(self) -> tuple[str, ...]:
        try:
            text = self._request(Op.CLASS_NAMES)
        except RefusedError as error:
            if error.status != Status.UNKNOWN:  # firmware from before there were names
                raise
            return ()
        return tuple(name.decode("utf-8", "replace") for name in text.split(b"\0")[:-1])

    def _sample(self, op: Op, values: np.ndarray, sample: Sample, update: bytes = b"") -> DeviceOutcome:
        delivery = self.device.delivery(inputs_of(values, self.device.identity.inputs), self._by_rows)
        with _restart_told():
            self.device.deliver(delivery)
        request = struct.pack("<HH", sample.label, sample.classes) + update
        loss, predicted, _, steps, count, ms = fields("<fHHIII", self._request(op, request))
        return DeviceOutcome(loss, predicted, steps, count, ms)

    def _request(self, op: Op, payload: bytes = b"") -> bytes:
        with _restart_told():
            return self._connection.request(op, payload, steady=False)


def _storage(answer: bytes, offset: int = 0) -> SavedState:
    outcome, slot, fallback, _, generation, steps, nbytes = fields("<4B3I", answer, offset)
    try:
        return SavedState(Storage(outcome), slot, bool(fallback), generation, steps, nbytes)
    except ValueError:
        raise answer_not_understood() from None


@contextlib.contextmanager
def _restart_told() -> Iterator[None]:
    try:
        yield
    except RestartedError as error:
        raise RestartedError(
            "the device restarted, or another program took it over: training since the last save is lost, it now has "
            "its saved weights or the factory's"
        ) from error
