"""The table of rooms in docs/architecture.md, and the code's imports against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import draw_rooms, rooms


def test_no_room_of_the_table_may_import_one_below_it() -> None:
    assert rooms.upward(rooms.allowed(rooms.TABLE)) == []


def test_rooms_import_what_the_table_allows() -> None:
    may = rooms.allowed(rooms.TABLE)
    assert rooms.violations(rooms.PACKAGE, may) == []


def test_no_circle_among_rooms_or_files() -> None:
    assert rooms.circles(rooms.arrows(rooms.PACKAGE)) == []
    assert rooms.circles(rooms.file_arrows(rooms.PACKAGE)) == []


def test_the_picture_shows_the_code_as_it_is() -> None:
    assert draw_rooms.PICTURE.read_text() == draw_rooms.draw(), "run scripts/draw_rooms.py and commit its picture"


def test_no_arrow_of_the_picture_leads_upward() -> None:
    arrows, _ = draw_rooms.without_ground(rooms.arrows(rooms.PACKAGE))
    rows, shown = draw_rooms.rows_of(arrows), draw_rooms.reduced(arrows)
    assert all(rows[room] < rows[other] for room in arrows for other in arrows[room])
    assert all(rooms.reached(room, shown) == rooms.reached(room, arrows) for room in arrows)
    with pytest.raises(ValueError, match="circle"):
        draw_rooms.rows_of({"ir": {"kernels"}, "kernels": {"ir"}})


TABLE = """
| room | what belongs there | may import |
|---|---|---|
| `errors`, `sizes` | everybody's | |
| `ir` | graphs | |
| `kernels` | calls | `ir` |
| `cli` | commands | `kernels` |

| folder | what belongs there |
|---|---|
| `lib` | not a room |
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A package that obeys TABLE, which lies beside it."""
    (tmp_path / "table.md").write_text(TABLE)
    package = tmp_path / "made_up"
    sources = {
        "errors.py": "",
        "sizes.py": "",
        "ir/__init__.py": "from made_up.ir.graph import Graph\n",
        "ir/graph.py": "from made_up.errors import Oops\n",
        "kernels/__init__.py": "",
        "kernels/conv.py": "import made_up.ir\nfrom made_up import sizes\n",
        "cli/main.py": "from ..kernels import conv\n",
    }
    for name, text in sources.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    return package


def _found(package: Path) -> list[str]:
    may = rooms.allowed(package.parent / "table.md")
    return rooms.violations(package, may)


def test_a_tree_that_obeys(tree: Path) -> None:
    assert _found(tree) == []
    assert rooms.arrows(tree)["cli"] == {"kernels"}
    assert rooms.arrows(tree)["kernels"] == {"ir", "sizes"}
    assert rooms.circles(rooms.arrows(tree)) == rooms.circles(rooms.file_arrows(tree)) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from made_up.kernels.conv import lower\n", 1),
        ("import made_up.kernels.conv as conv\n", 1),
        ("from ..kernels import conv\n", 1),
        ("def late():\n    from made_up.kernels import conv\n", 2),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made_up.kernels.conv import Call\n", 3),
        ("import importlib\nimportlib.import_module('made_up.kernels.conv')\n", 2),
        ("from importlib import import_module\nimport_module('made_up.kernels.conv')\n", 2),
        ("from importlib import import_module\nimport_module('..kernels.conv', __package__)\n", 2),
        ("__import__('made_up.kernels.conv')\n", 1),
        ("import made_up\nmade_up.kernels.conv.lower()\n", 2),
        ("import made_up.errors\nmade_up.kernels.conv.lower()\n", 2),
        ("import made_up as m\nm.kernels.conv.lower()\n", 2),
    ],
)
def test_an_import_that_the_table_forbids(tree: Path, text: str, line: int) -> None:
    (tree / "ir" / "graph.py").write_text(text)
    assert _found(tree) == [f"ir/graph.py:{line} imports kernels/conv.py: ir may not import kernels"]
    assert rooms.circles(rooms.arrows(tree)) == [["ir", "kernels"]]


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module(f'made_up.{name}')\n",
        "import importlib\nimportlib.import_module('made_up.' + name)\n",
        "import importlib\nimportlib.import_module(name=name)\n",
        "pass\n__import__(name)\n",
        "pass\nfrom importlib import import_module as load\n",
    ],
)
def test_imports_that_only_the_run_can_tell(tree: Path, text: str) -> None:
    (tree / "ir" / "graph.py").write_text(text)
    assert _found(tree) == ["ir/graph.py:2 imports what only the run can tell"]
    (tree / "ir" / "graph.py").write_text("")
    (tree / "cli" / "main.py").write_text(text)
    assert _found(tree) == []


def test_files_that_import_late_exist() -> None:
    for file in rooms.LATE:
        assert "import_module" in (rooms.PACKAGE / file).read_text()


def test_a_room_that_the_table_does_not_have(tree: Path) -> None:
    (tree / "attic.py").write_text("from made_up.cli import main\n")
    (tree / "sizes.py").unlink()
    assert _found(tree) == [
        "attic is a room that the table does not have",
        "the table has a room sizes that does not exist",
    ]


def test_a_circle_inside_a_room(tree: Path) -> None:
    (tree / "kernels" / "pool.py").write_text("def late():\n    from made_up.kernels import conv\n")
    (tree / "kernels" / "conv.py").write_text("from made_up.kernels.pool import lower\n")
    assert _found(tree) == []
    assert rooms.circles(rooms.file_arrows(tree)) == [["kernels/conv.py", "kernels/pool.py"]]


def test_a_table_with_an_arrow_upward(tree: Path) -> None:
    table = tree.parent / "table.md"
    table.write_text(TABLE.replace("| `ir` | graphs | |", "| `ir` | graphs | `kernels`, `nowhere` |"))
    assert rooms.upward(rooms.allowed(table)) == [
        "ir may import kernels, which is not above it",
        "ir may import nowhere, which is not above it",
    ]
