"""A language model in this process: the C of a device, its tokenizer and its chance included."""

from __future__ import annotations

import ctypes
import time

from tinyengine.ir.tokenizer import BEGIN, END, LONGEST_PIECE
from tinyengine.native.build import NativeModel
from tinyengine.writing import Settings, Written, prompt_bytes

PER_CALL = 8
"""Tokens between two signs of life."""


class NativeWriter:
    """``writing.Writer``."""

    def __init__(self, model: NativeModel) -> None:
        assert model.graph.tokenizer is not None
        self.model, self.library = model, model.library
        self._before = self._next = BEGIN
        self._settings = Settings()
        self._random = ctypes.c_uint32()

    def begin(self, prompt: str, settings: Settings) -> int:
        text = prompt_bytes(prompt)
        tokens = (ctypes.c_uint16 * (len(text) + 2))()
        count = int(self.library.native_encode(self.model.index, text, len(text), tokens))
        self._settings = settings
        self.model.reset()
        for token in tokens[:count]:
            # only what follows on the last token is drawn: the others leave no trace in the random numbers
            self._random.value = self.library.native_seed(ctypes.c_uint32(settings.seed))
            self._read(token)
        return count

    def write(self, tokens: int) -> Written:
        start, text, count = time.perf_counter(), b"", 0
        buffer = ctypes.create_string_buffer(LONGEST_PIECE)
        while count < min(tokens, PER_CALL):
            if self._next in (BEGIN, END) and not self._settings.endless:
                return Written(text, count, time.perf_counter() - start, True)
            token = self._next
            size = int(self.library.native_decode(self.model.index, token, self._before, buffer))
            text += buffer.raw[:size]
            self._read(token)
            count += 1
        return Written(text, count, time.perf_counter() - start, False)

    def _read(self, token: int) -> None:
        self._before = token
        self._next = int(
            self.library.native_next(
                self.model.index,
                token,
                ctypes.c_uint32(self._settings.sharpness),
                ctypes.c_uint32(self._settings.share),
                ctypes.byref(self._random),
            )
        )
