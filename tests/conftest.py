"""Being here, in a package, it makes pytest put the repository root on the path: tests import as tests.<name>."""

from __future__ import annotations

from collections import Counter

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked slow(but=n) the first n cases are not."""
    seen: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("slow")
        if mark is None:
            continue
        function = item.nodeid.partition("[")[0]
        if seen[function] < mark.kwargs.get("but", 0):
            item.own_markers.remove(mark)
        seen[function] += 1
