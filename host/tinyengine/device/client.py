"""A device that runs a compiled network: who it is, inference, measurements."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tinyengine.data.box_plan import box_of
from tinyengine.data.boxes import Box
from tinyengine.data.metadata import ModelMetadata, parse_metadata
from tinyengine.device.camera import Pieces, check_outcome
from tinyengine.device.connection import RATES, Connection, LinkCounters, Timing
from tinyengine.device.errors import ModelMismatchError, RefusedError, RestartedError
from tinyengine.device.framing import Op, Status, answer_not_understood, fields
from tinyengine.device.transport import Transport, open_port
from tinyengine.errors import DataError

TARGET_FRAME, TARGET_ROWS = 0, 1
FLAG_GRAY = 1
OBJECT_METADATA, OBJECT_OUTPUT, OBJECT_BOXES = 0, 1, 2
RUN_BOXES, LOOK_PICTURE = 1, 2
BOX = struct.Struct("<6H")
"""Class, score, left, top, right, bottom."""
CAN_FRAME, CAN_ROWS, CAN_PROFILE, CAN_TRAIN, CAN_REWIND, CAN_WRITE, CAN_BOXES, CAN_LOOK = (1 << k for k in range(8))
DTYPES = ("int8", "uint8", "int16", "int32", "float32", "uint32", "uint64")  # by their numbers on the wire
STATISTICS_CLEAR = 1

T = TypeVar("T")


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: ``shape`` without the batch; real = scale * (value - zero_point)."""

    name: str
    shape: tuple[int, ...]
    scale: float
    zero_point: int
    nbytes: int
    dtype: str = "int8"


@dataclass(frozen=True)
class Identity:
    """What a device says about itself."""

    protocol: int
    firmware: str
    board: str
    model: str
    model_hash: str
    arena_bytes: int
    macs: int
    layers: int
    counter_unit: str  # instructions (simulated) or cycles
    counter_rate: int  # per second
    by_frame: bool
    by_rows: bool
    has_profile: bool
    can_train: bool
    has_states: bool
    can_write: bool  # a language model
    finds_boxes: bool  # of its outputs, as its metadata say
    can_look: bool  # it has a camera of its own
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    metadata_json: str

    @property
    def metadata(self) -> ModelMetadata:
        """The MODEL.json that was compiled in; defaults where there was none."""
        return parse_metadata(self.metadata_json, f"the metadata in the firmware of {self.board}", lenient=True)


@dataclass(frozen=True)
class Statistics:
    """Figures of the device since it started, or since they were cleared (line figures and arena mark)."""

    uptime_ms: int
    runs: int
    last_count: int  # counter ticks of the last inference
    arena_bytes: int
    arena_high_water: int  # bytes of the arena up to the highest one written
    stack_used: int
    stack_size: int
    frames_received: int
    frames_damaged: int
    frames_too_long: int
    bytes_lost: int
    requests_repeated: int


@dataclass(frozen=True)
class LayerProfile:
    """One layer and the counter ticks it took."""

    name: str
    op: str
    macs: int
    count: int


@dataclass(frozen=True, eq=False)
class Inference:
    """An answer: ``outputs`` in types and shapes of the ports, or none and ``boxes``; and what it cost."""

    outputs: list[np.ndarray]
    run: int  # number of this run since the device started
    count: int  # counter ticks
    device_seconds: float  # of computing, by the device's counter
    seconds: float  # for the caller, from the first byte sent to the answer
    wire_seconds: float  # of those, sending the input (by rows, the device computes meanwhile)
    input_bytes: int  # sent as input
    boxes: tuple[Box, ...] | None = None

    @property
    def wire_share(self) -> float:
        return self.wire_seconds / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, eq=False)
class Sight:
    """What a board made of a picture that its own camera took. ``picture``: the input's values, rows x columns x
    channels; None where nobody asked for it or a piece of it got lost on the way."""

    inference: Inference
    picture: np.ndarray | None


@dataclass(frozen=True)
class Delivery:
    """Inputs as they go over the wire: bytes and transfer flags of each; ``rows``: computed on while they arrive."""

    payloads: tuple[tuple[bytes, int], ...]
    rows: bool

    @property
    def nbytes(self) -> int:
        return sum(len(data) for data, _ in self.payloads)


class Device:
    """A connected device. Use :func:`open_device`, or :meth:`connect` on a transport of your own."""

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._states_lost = False  # and nobody has been told yet
        self.identity = identity

    @classmethod
    def connect(
        cls, transport: Transport, timing: Timing | None = None, models: Collection[str] | None = None
    ) -> Device:
        """Handshake and identification. ``models``: hashes of networks, ModelMismatchError if another runs."""
        connection = Connection(transport, timing)
        connection.handshake()
        for _ in range(3):
            try:
                identity = _identify(connection)
                break
            except RestartedError:
                connection.handshake()
        else:
            raise RestartedError(f"the device at {transport.url} restarts again and again: reset it")
        if models is not None and identity.model_hash not in models:
            raise ModelMismatchError(
                f"the device runs {identity.model} ({identity.model_hash}), another network than the one given: "
                "build and flash that network, or name the one that it runs"
            )
        return cls(connection, identity)

    @property
    def connection(self) -> Connection:
        """The session, for what other modules add."""
        return self._connection

    @property
    def counters(self) -> LinkCounters:
        """What happened on the line, as seen from here."""
        return self._connection.counters

    @property
    def baud(self) -> int:
        return self._connection.transport.baud

    def negotiate_baud(self, highest: int = RATES[0]) -> int:
        """Raise the rate as far as device, computer and cable allow; the rate now in use."""
        return self._retried(lambda: self._connection.negotiate_baud(highest))

    def set_baud(self, rate: int) -> bool:
        """Change to one rate; False if that failed and the old one (or 115200) is in use."""
        return self._retried(lambda: self._connection.change_baud(rate))

    def echo(self, payload: bytes) -> bytes:
        """The same bytes, by way of the device."""
        return self._retried(lambda: self._connection.request(Op.ECHO, payload))

    def statistics(self, clear: bool = False) -> Statistics:
        """Figures of the device; ``clear`` resets the line's figures and the arena mark after they are read."""
        payload = self._retried(
            lambda: self._connection.request(Op.STATISTICS, bytes([STATISTICS_CLEAR * clear]), steady=False)
        )
        return Statistics(*fields("<12I", payload))

    def profile(self) -> list[LayerProfile]:
        """Run the network on whatever its memory holds and return what each layer took. Rewinds its states."""
        if not self.identity.has_profile:
            raise RefusedError("this firmware was built without profiling: build and flash it anew", Status.UNSUPPORTED)

        def measure() -> list[int]:
            counts: list[int] = []
            while len(counts) < self.identity.layers:
                answer = self._connection.request(Op.PROFILE, struct.pack("<H", len(counts)), steady=False)
                if len(answer) < 6:
                    raise answer_not_understood()
                counts += fields(f"<{(len(answer) - 2) // 4}I", answer, 2)
            return counts

        layers = self._retried(self._layers)
        return [LayerProfile(*layer, count) for layer, count in zip(layers, self._retried(measure), strict=True)]

    def infer(
        self, inputs: np.ndarray | Sequence[np.ndarray], by_rows: bool | None = None, boxes: bool = False
    ) -> Inference:
        """Run the network on inputs of its ports' types, one array for each.

        An input of h x w x c bytes may also be given as h x w x 1: the value of a pixel then stands for all its
        channels and only that is sent. ``by_rows`` None: by rows only where the firmware takes no whole frames.
        States go on from the last run; if the device has restarted since, or another program has taken it over,
        they are lost: RestartedError, once. Rewind and begin anew. ``boxes``: which the device finds in its outputs,
        instead of these.
        """
        delivery = self.delivery(inputs, by_rows)
        return self._with_states(lambda: self._infer(delivery, boxes))

    def look(self, picture: bool = False, boxes: bool = False) -> Sight:
        """Have the board take a picture with its own camera and run the network on it. ``picture``: send it as well, as
        the network sees it. ``boxes`` and states as of :meth:`infer`; RefusedError where there is no camera, BlindError
        where it fails."""
        if not self.identity.can_look:
            raise RefusedError(
                f"the firmware on {self.identity.board} has no camera, or its network takes no pictures: name a camera "
                "in the board's description (docs/boards.md), give a simulated board --pictures, or use the camera of "
                "this computer (--source camera)",
                Status.UNSUPPORTED,
            )
        return self._with_states(lambda: self._look(picture, boxes))

    def delivery(self, inputs: np.ndarray | Sequence[np.ndarray], by_rows: bool | None = None) -> Delivery:
        """Inputs as :meth:`infer` takes them, checked and ready to be sent."""
        arrays = [inputs] if isinstance(inputs, np.ndarray) else list(inputs)
        ports = self.identity.inputs
        if len(arrays) != len(ports):
            raise DataError(f"the network has {len(ports)} inputs, but {len(arrays)} were given")
        rows = not self.identity.by_frame if by_rows is None else by_rows
        if not (self.identity.by_rows if rows else self.identity.by_frame):
            way, option = ("rows", "rows") if rows else ("whole frames", "frame")
            raise RefusedError(
                f"the network on this board does not take {way}: build it with --input {option}", Status.UNSUPPORTED
            )
        payloads = tuple(_wire_bytes(array, port) for array, port in zip(arrays, ports, strict=True))
        return Delivery(payloads, rows)

    def deliver(self, delivery: Delivery) -> None:
        """Send inputs without running anything on them. RestartedError when the device has forgotten the session."""
        target = TARGET_ROWS if delivery.rows else TARGET_FRAME
        for index, (data, flags) in enumerate(delivery.payloads):
            self._connection.upload(target, index, data, flags, slow=delivery.rows)

    def rewind(self) -> None:
        """Give all states of the network their initial values; RefusedError for a network without any."""
        if not self.identity.has_states:
            raise RefusedError("the network on this board keeps no states", Status.UNSUPPORTED)
        self._retried(lambda: self._connection.request(Op.REWIND))
        self._states_lost = False

    def trace(self, delivery: Delivery, layer: int, offset: int, length: int) -> tuple[int, bytes]:
        """Run the network on inputs (:meth:`delivery`): what ``length`` bytes of its arena hold right after a layer.

        The CRC-32 of them, and as many of the bytes as one answer holds. States go on as by :meth:`infer`.
        """
        self.deliver(delivery)
        try:
            answer = self._connection.request(Op.TRACE, struct.pack("<HxxII", layer, offset, length), steady=False)
        except RefusedError as error:
            if error.status != Status.UNKNOWN:
                raise
            sentence = "this firmware does not know how to stop behind a layer: build and flash it anew"
            raise RefusedError(sentence, error.status) from error
        return fields("<I", answer)[0], answer[4:]

    def layers(self) -> list[tuple[str, str, int]]:
        """Name, operator and MACs of each layer; of a network compiled for little flash without the latter two."""
        return self._retried(self._layers)

    def reset(self) -> None:
        """Restart the firmware and connect again; states have their initial values."""
        with contextlib.suppress(RestartedError):  # a repeated request may meet the restarted firmware
            self._connection.request(Op.RESET)
        self._reconnect()
        self._states_lost = False

    def close(self) -> None:
        """Leave the device at 115200 baud for whoever comes next (it would return there by itself after a silence)."""
        with contextlib.suppress(Exception):
            self._connection.leave()

    # ----

    def _with_states(self, action: Callable[[], T]) -> T:
        """An inference: again where the device has restarted under it, but not with states that are lost."""
        if self.identity.has_states and not self._states_lost:
            try:
                return action()
            except RestartedError:
                self._reconnect()
        if self._states_lost:
            self._states_lost = False
            raise RestartedError(
                "the device restarted or another program took it over, and its network's states are lost: try again"
            )
        return self._retried(action)

    def _look(self, picture: bool, boxes: bool) -> Sight:
        port, start = self.identity.inputs[0], time.monotonic()
        pieces = Pieces(port.nbytes)
        flags = bytes([LOOK_PICTURE * picture | RUN_BOXES * boxes])
        answer = self._connection.request(Op.LOOK, flags, steady=False, on_piece=pieces.take)
        inference = self._answered(check_outcome(answer), boxes, start, 0.0, 0)
        return Sight(inference, pieces.whole(port.dtype, port.shape))

    def _infer(self, delivery: Delivery, boxes: bool) -> Inference:
        start = time.monotonic()
        self.deliver(delivery)
        uploaded = time.monotonic()
        answer = self._connection.request(Op.RUN, bytes([RUN_BOXES]) if boxes else b"", steady=False)
        return self._answered(answer, boxes, start, uploaded - start, delivery.nbytes)

    def _answered(self, answer: bytes, boxes: bool, start: float, wire_seconds: float, input_bytes: int) -> Inference:
        """What RUN answers. ``start``: by time.monotonic; ``wire_seconds``, ``input_bytes``: of the input."""
        run, count, _, total = fields("<4I", answer)
        data = answer[16:]
        outputs = () if boxes else self.identity.outputs
        if total != sum(port.nbytes for port in outputs) and not (boxes and total % BOX.size == 0):
            raise RestartedError("the device runs another network than before: connect again")
        if len(data) < total and boxes:
            data += self._connection.download(OBJECT_BOXES, 0, total, len(data))
        elif len(data) < total:
            data = b"".join(self._rest_of_output(index, data) for index in range(len(outputs)))
        seconds = time.monotonic() - start
        arrays, offset = [], 0
        for port in outputs:
            values = np.frombuffer(data[offset : offset + port.nbytes], port.dtype)
            arrays.append(values.reshape(port.shape).copy())
            offset += port.nbytes
        found = tuple(box_of(*each) for each in BOX.iter_unpack(data)) if boxes else None
        return Inference(
            outputs=arrays,
            run=run,
            count=count,
            device_seconds=count / self.identity.counter_rate if self.identity.counter_rate else 0.0,
            seconds=seconds,
            wire_seconds=wire_seconds,
            input_bytes=input_bytes,
            boxes=found,
        )

    def _rest_of_output(self, index: int, head: bytes) -> bytes:
        """Output ``index`` in whole: from the answer as far as it got, the rest by READ."""
        outputs = self.identity.outputs
        start = sum(port.nbytes for port in outputs[:index])
        here = head[start : start + outputs[index].nbytes]
        if len(here) == outputs[index].nbytes:
            return here
        return here + self._connection.download(OBJECT_OUTPUT, index, outputs[index].nbytes, len(here))

    def _layers(self) -> list[tuple[str, str, int]]:
        layers: list[tuple[str, str, int]] = []
        while len(layers) < self.identity.layers:
            answer = self._connection.request(Op.LAYERS, struct.pack("<H", len(layers)))
            (count,) = fields("<H", answer, 2)
            position = 4
            for _ in range(count):
                (macs,) = fields("<I", answer, position)
                (name, op), position = _strings(answer, position + 4, 2)
                layers.append((name or f"layer {len(layers)}", op, macs))  # firmware for little flash has no names
            if count == 0:
                raise RefusedError("the device does not list all its layers: build and flash the firmware anew", 0)
        return layers

    def _retried(self, action: Callable[[], T]) -> T:
        """Repeat a whole operation, which must leave no trace in the device, when that has restarted under it."""
        for _ in range(3):
            try:
                return action()
            except RestartedError:
                self._reconnect()
        return action()

    def _reconnect(self) -> None:
        self._states_lost = self.identity.has_states
        baud = self.baud
        self._connection.handshake()
        identity = _identify(self._connection)
        if identity.model_hash != self.identity.model_hash:
            raise ModelMismatchError(
                f"the device restarted with another network ({identity.model}, {identity.model_hash}): connect again"
            )
        if baud > self.baud:
            self._connection.change_baud(baud)


@contextlib.contextmanager
def open_device(
    url: str,
    *,
    models: Collection[str] | None = None,
    highest_baud: int = RATES[0],
    elf: Path | None = None,
    simulator: str | None = None,
    flash: Path | None = None,
    pictures: Path | None = None,
) -> Iterator[Device]:
    """A device for a ``with`` block, at the fastest rate up to ``highest_baud`` that works.

    ``models``: hashes, one of which its network must have. ``elf``, ``simulator``, ``flash`` and ``pictures`` serve
    ``sim:`` URLs.
    """
    with open_port(url, elf, simulator, flash, pictures) as transport:
        device = Device.connect(transport, models=models)
        try:
            device.negotiate_baud(highest_baud)
            yield device
        finally:
            device.close()


def as_json(value: Any) -> dict[str, Any]:
    """A dataclass of this module as plain JSON values."""
    return asdict(value)


def _identify(connection: Connection) -> Identity:
    answer = connection.request(Op.IDENTIFY)
    arena, macs, metadata_bytes, rate, n_inputs, n_outputs, n_layers, can = fields("<4I4H", answer)
    (firmware, board, unit, model, model_hash), _ = _strings(answer, 24, 5)
    metadata = connection.download(OBJECT_METADATA, 0, metadata_bytes)
    return Identity(
        protocol=connection.limits.version,
        firmware=firmware,
        board=board,
        model=model,
        model_hash=model_hash,
        arena_bytes=arena,
        macs=macs,
        layers=n_layers,
        counter_unit=unit,
        counter_rate=rate,
        by_frame=bool(can & CAN_FRAME),
        by_rows=bool(can & CAN_ROWS),
        has_profile=bool(can & CAN_PROFILE),
        can_train=bool(can & CAN_TRAIN),
        has_states=bool(can & CAN_REWIND),
        can_write=bool(can & CAN_WRITE),
        finds_boxes=bool(can & CAN_BOXES),
        can_look=bool(can & CAN_LOOK),
        inputs=tuple(_tensor(connection, 0, i) for i in range(n_inputs)),
        outputs=tuple(_tensor(connection, 1, i) for i in range(n_outputs)),
        metadata_json=_text(metadata),
    )


def _tensor(connection: Connection, direction: int, index: int) -> TensorInfo:
    answer = connection.request(Op.TENSOR, bytes([direction, index]))
    nbytes, scale, zero, rank, number, *dims = fields("<Ifi2B4H", answer)
    (name,), _ = _strings(answer, 22, 1)
    dtype = DTYPES[number] if number < len(DTYPES) else ""
    if not dtype or prod(dims[:rank]) * np.dtype(dtype).itemsize != nbytes:
        raise answer_not_understood()
    return TensorInfo(name, tuple(dims[:rank]), scale, zero, nbytes, dtype)


def _wire_bytes(array: np.ndarray, port: TensorInfo) -> tuple[bytes, int]:
    """Bytes to send for an input, and the flags of their transfer."""
    if array.dtype != port.dtype:
        raise DataError(f"the input {port.name} must be {port.dtype}, not {array.dtype}")
    if array.nbytes == port.nbytes:
        return array.tobytes(), 0
    if array.itemsize == 1 and len(port.shape) == 3 and array.shape in (port.shape[:2], (*port.shape[:2], 1)):
        return array.tobytes(), FLAG_GRAY
    wanted = "x".join(map(str, port.shape))
    raise DataError(f"the input {port.name} wants {wanted} values, not {'x'.join(map(str, array.shape))}")


def _strings(answer: bytes, position: int, count: int) -> tuple[list[str], int]:
    """``count`` zero-terminated strings from ``position`` on, and the position behind them."""
    *strings, rest = answer[position:].split(b"\0", count)
    if len(strings) != count:
        raise answer_not_understood()
    return [_text(string) for string in strings], len(answer) - len(rest)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
