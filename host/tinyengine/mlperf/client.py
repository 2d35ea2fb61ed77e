"""A device that speaks the runner's protocol: text commands that end with ``%``, answers that end with ``m-ready``."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tinyengine.device.errors import ForeignFirmwareError, NoAnswerError, RefusedError
from tinyengine.device.transport import Transport

READY = b"m-ready"
BYTES_PER_LINE = 31
"""As many as fit into a command of 80 characters, by the runner's count."""
GREETING_SECONDS = 5.0
QUIET_SECONDS = 0.2
BUILD_ONE = "build its firmware with 'tinyengine build MODEL --board BOARD --mlperf BENCHMARK'"


@dataclass(frozen=True)
class Inference:
    """What ``infer`` says. ``results``: scores of the classes, or one anomaly score, in thousandths."""

    seconds: float
    runs: int
    results: tuple[float, ...]


class Client:
    """The commands of one device. ``patience``: seconds without a byte after which an answer is given up."""

    def __init__(self, transport: Transport, patience: float = 60.0) -> None:
        self._transport = transport
        self._patience = patience
        self._left = b""

    def greet(self) -> str:
        """The device's name; ForeignFirmwareError where nothing that speaks this protocol answers."""
        deadline = time.monotonic() + GREETING_SECONDS
        self._transport.write(b"%")  # ends whatever stands in its buffer
        while time.monotonic() < deadline:
            while self._transport.read(QUIET_SECONDS) and time.monotonic() < deadline:
                pass  # what it said when it started, or to somebody before us
            self._left = b""
            try:
                found = re.search(r"^m-name-dut-\[(.+)\]$", "\n".join(self._ask("name", 1.0)), re.MULTILINE)
            except NoAnswerError:
                continue
            if found:
                return found[1]
        raise ForeignFirmwareError(
            f"nothing at {self._transport.url} speaks MLPerf's protocol: {BUILD_ONE} and flash it"
        )

    def model(self) -> str:
        """The benchmark's model, such as vww01."""
        return self._value("profile", r"^m-model-\[(.+)\]$")

    def load(self, data: bytes) -> None:
        """Give the device an input; RefusedError where its size is not the network's."""
        self._value(f"db load {len(data)}", r"^(m-\[Expecting \d+ bytes\])$")
        lines: list[str] = []
        for start in range(0, len(data), BYTES_PER_LINE):
            lines = self.command(f"db {data[start : start + BYTES_PER_LINE].hex()}")
        if "m-load-done" not in lines:
            raise NoAnswerError(f"{self._transport.url} lost bytes of an input: use a better cable or another port")

    def infer(self, runs: int, warm_ups: int) -> Inference:
        """Run the network on the loaded input."""
        lines = self.command(f"infer {runs} {warm_ups}")
        found = next((line for line in lines if line.startswith("m-results-[")), "")
        try:
            laps = [int(line.removeprefix("m-lap-us-")) for line in lines if line.startswith("m-lap-us-")]
            results = tuple(float(value) for value in found.removeprefix("m-results-[").rstrip("]").split(","))
        except ValueError:  # a damaged character
            laps, results = [], ()
        if len(laps) != 2 or not results:
            raise NoAnswerError(f"{self._transport.url} answers 'infer' with {lines[-2:]}: {BUILD_ONE} again")
        return Inference((laps[1] - laps[0]) % (1 << 32) / 1e6, runs, results)

    def command(self, text: str) -> list[str]:
        """The lines of the answer; RefusedError where the device says ``e-[...]``."""
        return self._ask(text, self._patience)

    def _ask(self, text: str, patience: float) -> list[str]:
        self._transport.write(text.encode("ascii") + b"%")
        while READY not in self._left:
            more = self._transport.read(patience)
            if not more:
                raise NoAnswerError(f"{self._transport.url} does not answer '{text}': reset the board and try again")
            self._left += more
        answer, _, self._left = self._left.partition(READY)
        lines = answer.decode("ascii", errors="replace").replace("\0", "").split("\r\n")
        for line in lines:
            if line.startswith("e-["):
                raise RefusedError(f"the device refuses '{text}': {line[3:].rstrip(']')}", 0)
        return [line for line in lines if line]

    def _value(self, text: str, pattern: str) -> str:
        lines = self.command(text)
        found = re.search(pattern, "\n".join(lines), re.MULTILINE)
        if not found:
            raise NoAnswerError(f"{self._transport.url} answers '{text}' with {lines}: {BUILD_ONE} again")
        return found[1]
