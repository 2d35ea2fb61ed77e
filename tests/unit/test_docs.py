"""What the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tinyengine.paths import project_root

ROOT = project_root()
PLACES = [ROOT / place for place in ("", "host", "host/tinyengine", "lib/tinyengine", "firmware", "tests/kernels")]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "models").glob("*.md"))]
GENERATED = {"board.h", "board.ld", "network.c", "network.h", "network_image.h", "network_weights.c", "te_config.h"}
FILE = re.compile(r"`([\w./]+/[\w.]+|[\w./]+\.(?:py|c|h|md|sh|ld))`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = {name.rstrip("/") for name in FILE.findall(page.read_text())} - GENERATED
    assert {name for name in named if not _exists(name, page)} == set()


def _exists(name: str, page: Path) -> bool:
    """Whether the file is there, or the page cannot mean one of ours: its folder is none of ours."""
    folder, _, rest = name.partition("/")
    if not rest:
        return any(
            any((ROOT / place).rglob(name)) for place in ("docs", "host", "lib", "firmware", "tests", "bench", "boards")
        )
    places = [place for place in [*PLACES, page.parent] if folder and (place / folder).is_dir()]
    return not places or any((place / name).exists() for place in places)
