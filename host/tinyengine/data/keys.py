"""Keys of objects in JSON."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Any

from tinyengine.errors import DataError


def check_keys(data: dict[str, Any], known: Collection[str], origin: str) -> None:
    """DataError for a key that nothing reads: whoever has written it believes that it does something."""
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key.lower(), known, n=1)
            way = f"do you mean {near[0]!r}?" if near else "remove it"
            raise DataError(f"{origin} has the key {key!r}, but what is read is {listed(known)}: {way}")


def listed(words: Collection[str]) -> str:
    """``a, b and c``."""
    *most, last = words
    return f"{', '.join(most)} and {last}"
