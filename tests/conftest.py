"""Being here, in a package, it makes pytest put the repository root on the path: tests import as tests.<name>."""

from __future__ import annotations

from collections import Counter

import pytest
import tinyengine  # noqa: F401  before NumPy, whose number of threads it decides


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked slow(but=n) the first n cases are not. A mark of a class or module holds for each test in it."""
    marked = [(item, mark) for item in items if (mark := item.get_closest_marker("slow"))]
    for node in {node for item, _ in marked for node in item.listchain()}:
        node.own_markers[:] = [mark for mark in node.own_markers if mark.name != "slow"]
    seen: Counter[str] = Counter()
    for item, mark in marked:
        function = item.nodeid.partition("[")[0]
        if seen[function] >= mark.kwargs.get("but", 0):
            item.own_markers.append(mark)
        seen[function] += 1
