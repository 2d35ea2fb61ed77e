"""The one error of the memory planner."""

from __future__ import annotations


class PlacementError(Exception):
    """A memory plan, or what it was made from, is wrong: a bug in tinyengine, never the user's fault.

    Deliberately not a TinyEngineError, so that it escapes with its traceback.
    """
