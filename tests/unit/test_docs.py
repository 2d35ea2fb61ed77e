"""What the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tinyengine.paths import project_root

ROOT = project_root()
PLACES = [ROOT / place for place in ("", "host", "host/tinyengine", "lib/tinyengine", "firmware", "tests/kernels")]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "models").glob("*.md"))]
GENERATED = {"network.c", "network.h", "network_weights.c"}
FILE = re.compile(r"`([\w./]+/[\w.]+|[\w./]+\.(?:py|c|h|md|sh|ld))`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = {name.rstrip("/") for name in FILE.findall(page.read_text())}
    missing = {name for name in named if not any((place / name).exists() for place in [*PLACES, page.parent])}
    missing -= GENERATED
    assert {name for name in missing if not name.startswith((".", "/")) and not _somewhere(name)} == set()


def _somewhere(name: str) -> bool:
    """Whether a file has that name without a folder, in a folder of ours."""
    folders = ("host", "lib", "firmware", "tests", "bench", "scripts", "boards")
    return "/" not in name and any(any((ROOT / folder).rglob(name)) for folder in folders)
