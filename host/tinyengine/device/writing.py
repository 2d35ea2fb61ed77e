"""A language model on a device: prompts over the protocol, text as it comes."""

from __future__ import annotations

import struct

from tinyengine.device.client import Device
from tinyengine.device.errors import RefusedError
from tinyengine.device.framing import Op, Status, fields
from tinyengine.errors import DataError
from tinyengine.writing import Settings, Written, prompt_bytes

LONGEST_PROMPT = 400
"""Bytes, as firmware/src/writing.c has it."""
MILLISECONDS = 150
"""After which a device answers with what it has written."""
FLAG_ENDLESS = 1


class DeviceWriter:
    """``writing.Writer``."""

    def __init__(self, device: Device) -> None:
        """RefusedError where the device runs something else."""
        if not device.identity.can_write:
            raise RefusedError(
                f"the network {device.identity.model} on this board is no language model: build one that "
                "'tinyengine lm convert' wrote",
                Status.UNSUPPORTED,
            )
        self.device = device
        self._connection = device.connection

    def begin(self, prompt: str, settings: Settings) -> int:
        text = prompt_bytes(prompt)
        if len(text) > LONGEST_PROMPT:
            raise DataError(f"the prompt has {len(text)} bytes, more than a board takes: give at most {LONGEST_PROMPT}")
        head = struct.pack(
            "<4I", settings.sharpness, settings.share, settings.seed & 0xFFFFFFFF, settings.endless * FLAG_ENDLESS
        )
        (tokens,) = fields("<I", self._connection.request(Op.PROMPT, head + text, steady=False))
        return int(tokens)

    def write(self, tokens: int) -> Written:
        answer = self._connection.request(Op.WRITE, struct.pack("<2H", min(tokens, 0xFFFF), MILLISECONDS), steady=False)
        count, ticks, ended = fields("<2IB", answer)
        identity = self.device.identity
        instructions = ticks if identity.counter_unit == "instructions" else 0
        return Written(answer[9:], count, ticks / identity.counter_rate, bool(ended), instructions)
