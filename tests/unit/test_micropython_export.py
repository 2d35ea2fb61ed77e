"""``tinyengine export --for micropython`` and ``--for mpy``: the folders, the options, the example."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tinyengine.compiler import CompileOptions
from tinyengine.errors import ToolError
from tinyengine.export import TARGETS, Library, compile_library, export
from tinyengine.paths import project_root
from tinyengine.project import micropython

from tests.helpers.command_line import tinyengine
from tests.helpers.micropython import require_sources, require_unix_port, run_unix, upstream_unix
from tests.helpers.micropython_cases import CASES

PERSON = project_root() / "models" / "person_tiny.tflite"


def person(**options: object) -> Library:
    return compile_library([PERSON], CompileOptions(**options), ["person"])  # type: ignore[arg-type]


def test_a_user_module_has_what_ports_look_for() -> None:
    files = TARGETS["micropython"].files(person())
    assert {"micropython.mk", "micropython.cmake", "README.md", "LICENSE", "src/te_micropython.c"} <= set(files)
    makefile, cmake = str(files["micropython.mk"]), str(files["micropython.cmake"])
    compiled = {name for name in files if name.endswith((".c", ".S"))}
    listed = {line.strip(" \\)") for line in makefile.splitlines() if line.startswith("    src/")}
    assert listed == {f"{name[:-2]}.c" for name in compiled} - {"src/te_micropython.c"}
    assert all(f"${{CMAKE_CURRENT_LIST_DIR}}/{name}\n" in cmake for name in compiled - {"src/te_micropython.c"})
    assert "-O2 -ffp-contract=off" in makefile and "-O2 -ffp-contract=off" in cmake
    assert 'Network("person")' in str(files["README.md"])
    assert "src/image/te_image.c" in compiled and "src/forward/te_lstm.c" not in compiled
    assert '"no_person" "\\0" "person" "\\0"' in str(files["src/te_networks.h"])


def test_small_networks_are_built_for_size() -> None:
    assert "CFLAGS += -Os -ffp-contract=off" in str(
        TARGETS["micropython"].files(person(optimize="flash"))["micropython.mk"]
    )


def test_the_command_writes_native_modules_and_the_example_learns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_unix_port()
    require_sources()
    out = tmp_path / "learn"
    command = [
        "export",
        str(PERSON),
        "--train",
        "last-2",
        "--classes",
        "2",
        "--for",
        "mpy",
        "--arch",
        "x64",
        "-o",
        str(out),
    ]
    assert tinyengine(monkeypatch, capsys, *command)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == ["LICENSE", "README.md", "person_tiny.mpy"]
    example = (project_root() / "examples" / "micropython" / "learn.py").read_text()
    lines = run_unix(example, out)
    transcript = (project_root() / "docs" / "micropython.md").read_text()
    assert "\n".join(lines) in transcript
    right = {line.partition(":")[0]: line for line in lines if "pictures right" in line}
    assert right["after"].endswith("20 of 20 pictures right")
    assert right["before"].split()[1:] == right["forgotten"].split()[1:] != right["loaded"].split()[1:]
    assert right["loaded"].split()[1:] == right["after"].split()[1:]


def test_the_command_writes_weights_as_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_sources()
    out = tmp_path / "person"
    command = [
        "export",
        str(PERSON),
        "--for",
        "mpy",
        "--arch",
        "x64",
        "--weights-file",
        "-o",
        str(out),
        "--prefix",
        "who",
    ]
    assert tinyengine(monkeypatch, capsys, *command)[0] == 0
    assert {"who.mpy", "who.weights", "weights.romfs"} <= {path.name for path in out.iterdir()}
    weights = (out / "who.weights").read_bytes()
    assert (out / "weights.romfs").read_bytes().index(weights) % 16 == 0
    assert 'Network(memoryview(open("/rom/who.weights", "rb")))' in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--for", "mpy"], "instead of --cpu give --arch, one of armv6m, armv7emsp, armv7emdp, x64"),
        (["--for", "mpy", "--arch", "x64", "--cpu", "cortex-m4"], "instead of --cpu give --arch"),
        (["--for", "c", "--arch", "x64"], "use them with --for mpy"),
        (["--for", "micropython", "--cpu", "cortex-m4", "--weights-file"], "use them with --for mpy"),
        (["--for", "micropython"], "give --cpu, the core that the code is for"),
    ],
)
def test_options_that_contradict_each_other(
    options: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, error = tinyengine(monkeypatch, capsys, "export", PERSON, *options, "-o", tmp_path / "out")
    assert code != 0 and sentence in " ".join(error.split())
    assert not (tmp_path / "out").exists()


def test_a_checkout_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(micropython.VARIABLE, str(tmp_path))
    with pytest.raises(ToolError, match=r"has no py/dynruntime\.h: set it to a checkout"):
        micropython.sources()


def test_sources_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(micropython.VARIABLE, raising=False)
    monkeypatch.setattr(micropython, "cache_dir", lambda: tmp_path)
    monkeypatch.setattr(micropython, "SDIST", "mpy-cross-v6.3==0.0.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ToolError, match=r"pip could not download .*: set TINYENGINE_MICROPYTHON to a checkout"):
        micropython.sources()
    assert not list(tmp_path.rglob("*.tar.gz"))


@pytest.mark.slow
def test_upstream_unix_port(tmp_path: Path) -> None:
    """The user module in the unix port of the checkout that TINYENGINE_MICROPYTHON names."""
    top = micropython.checkout()
    if top is None:
        pytest.skip(f"{micropython.VARIABLE} names no checkout of MicroPython")
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    models = [case.compiled("cortex-m7") for case in CASES]
    program = upstream_unix(top, models, tmp_path)
    for case, model in zip(CASES, models, strict=True):
        prelude = f'import tinyengine\ndef network(): return tinyengine.Network("{case.name}")\n'
        for session in case.sessions(model):
            for name, data in session.files.items():
                (tmp_path / name).write_bytes(data)
            assert run_unix(prelude + session.code, tmp_path, [str(program)]) == session.expected, case.name


def test_export_writes_nothing_where_linking_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(micropython.VARIABLE, str(tmp_path))
    library = person()
    with pytest.raises(ToolError):
        export(Library(library.networks, arch="x64"), "mpy", tmp_path / "out")
    assert not (tmp_path / "out").exists()
