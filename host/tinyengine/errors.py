"""Errors that a user can cause.

Every one carries one sentence that names the cause and the way out; the command line prints that sentence
and exits with code 2. Anything else that escapes is a bug in tinyengine and keeps its traceback.
"""

from __future__ import annotations


class TinyEngineError(Exception):
    """Base class: ``str(error)`` is the sentence shown to the user."""


class ModelError(TinyEngineError):
    """The model file is damaged, not int8, or not understood."""


class UnsupportedOperatorError(ModelError):
    """An operator (or a variant of one) that the compiler cannot translate."""


class BudgetError(TinyEngineError):
    """The network does not fit the SRAM or flash of the board."""


class BoardError(TinyEngineError):
    """Unknown board, or a board description that is damaged."""


class ToolError(TinyEngineError):
    """An external tool (compiler, simulator, PlatformIO) is missing or failed."""


class DataError(TinyEngineError):
    """Images, labels or a MODEL.json that cannot be used."""


class DeviceError(TinyEngineError):
    """The device does not answer, answers nonsense, or is not what it should be."""
