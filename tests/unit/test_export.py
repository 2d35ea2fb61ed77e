"""``tinyengine export``: a folder that needs nothing else, for each kind of project; whole, or not there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from tinyengine import native
from tinyengine.compiler import CompileOptions
from tinyengine.cores import ARM, core
from tinyengine.data.metadata import ModelMetadata
from tinyengine.errors import ToolError
from tinyengine.export import TARGETS, Library, compile_library, export
from tinyengine.export.folder import check_free
from tinyengine.export.sources import called, defined
from tinyengine.frontend.tflite_writer import write_tflite
from tinyengine.paths import project_root
from tinyengine.project import toolchain

from tests.helpers import needs
from tests.helpers.command_line import tinyengine
from tests.helpers.floats import float_network
from tests.helpers.graphs import block_network, small_graph
from tests.helpers.stateful import deep, stateful
from tests.helpers.trainable import SCHEME, network

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off"]
AS_CPP = ["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compiler(language: str = "c") -> str:
    """gcc or clang, or its C++ twin."""
    twins = {"gcc": "g++", "clang": "clang++"}
    own = native.host_compiler()
    found = own if language == "c" else shutil.which(twins.get(Path(own).name, "c++"))
    if not found:
        pytest.skip("there is no C++ compiler")
    return found


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr[:3000]
    return done.stdout


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tflite(small_graph(), folder / "cat.tflite")
    write_tflite(network(), folder / "dog.tflite")
    write_tflite(stateful(deep), folder / "bird.tflite")
    write_tflite(float_network(), folder / "fish.tflite")
    write_tflite(block_network(), folder / "eye.tflite")
    (folder / "eye.json").write_text(ModelMetadata().to_json())
    return folder


def library(models: Path, *names: str, shared: bool = False, **options: object) -> Library:
    """Without code sizes, which take a compiler and a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyengine.export.library.measure_code", lambda compiled: None)
        files = [models / f"{name}.tflite" for name in names]
        return compile_library(files, CompileOptions(**options), (), shared)  # type: ignore[arg-type]


def objects(folder: Path, out: Path, sources: Path, include: Path, flags: list[str]) -> list[Path]:
    """Objects of all that is to be compiled in ``sources``; they have names of their own in ``out``."""
    made = []
    for source in sorted([*sources.rglob("*.c"), *sources.rglob("*.S")]):
        made.append(out / f"{source.relative_to(folder).as_posix().replace('/', '_')}.o")
        run(compiler(), *flags, f"-I{include}", "-c", source, "-o", made[-1])
    return made


CASES: Mapping[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "plain": (("cat",), {}),
    "rows": (("dog",), {"input": "rows", "optimize": "sram"}),
    "little flash": (("cat",), {"optimize": "flash"}),
    "no dsp": (("cat",), {"cpu": "cortex-m0plus"}),
    "states": (("bird",), {}),
    "float32": (("fish",), {}),
    "training": (("dog",), {"train": SCHEME}),
    "pictures": (("eye",), {}),
    "two": (("cat", "dog"), {}),
    "two in one arena": (("cat", "dog"), {"shared": True}),
}


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("case", CASES)
def test_the_folder_is_all_that_a_program_needs(models: Path, tmp_path: Path, case: str) -> None:
    """Every file is compiled and linked, so that nothing which any of them calls is missing; in C and in C++."""
    names, options = CASES[case]
    folder = tmp_path / "networks"
    files = export(library(models, *names, **options), "c", folder)
    assert files == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    made = objects(folder, tmp_path, folder / "src", folder / "include", STRICT)
    for language, flags in (("c", STRICT), ("c++", AS_CPP)):
        program = tmp_path / f"program.{len(language)}"
        main = folder / "examples" / "main.c"
        run(compiler(language), *flags, f"-I{folder / 'include'}", "-c", main, "-o", f"{program}.o")
        run(compiler(language), f"{program}.o", *made, "-lm", "-o", program)
        run(program)
    words = [line.split() for line in run("nm", "-g", "--defined-only", *made).splitlines()]
    exported = {word[2] for word in words if len(word) == 3} - set(names)
    assert exported and not [name for name in exported if not name.startswith(("te_", *(f"{n}_" for n in names)))]


@pytest.mark.parametrize("cpu", needs.compiled(["cortex-m0plus", "cortex-m4", "rv32imc"]))
def test_it_links_for_the_core_without_a_linker_that_drops_functions(models: Path, tmp_path: Path, cpu: str) -> None:
    folder = tmp_path / "networks"
    export(library(models, "cat", "dog", cpu=cpu), "c", folder)
    sources = [*folder.rglob("src/**/*.c"), *folder.rglob("src/**/*.S"), folder / "examples" / "main.c"]
    made = toolchain.compile_objects(
        sorted(sources), toolchain.device_flags(cpu), [folder / "include"], compiler=core(cpu).compiler
    )
    flags = [*core(cpu).flags, "-nostartfiles", "-Wl,--entry=main"]
    if script := core(cpu).compiler.script:
        (tmp_path / "program.ld").write_text(script)
        flags += ["-T", str(tmp_path / "program.ld")]
    toolchain.link(made, [*flags, "-Wl,--no-gc-sections"], tmp_path / "program.elf")


def linked(source: Path, portable: bool) -> tuple[set[str], set[str]]:
    """What the object of a library's file defines, and what it wants, as nm sees it."""
    [made] = toolchain.compile_objects(
        [source], toolchain.device_flags("cortex-m4", portable), [toolchain.library_dir() / "include"]
    )
    words = [line.split() for line in run(toolchain.find_compiler(ARM).tool("nm"), "-g", made).splitlines()]
    wanted = {word[-1] for word in words if word[-2] == "U"}
    return {word[-1] for word in words} - wanted, wanted


@pytest.mark.slow(but=1)
@needs.arm_gcc
@pytest.mark.parametrize("portable", [False, True])
def test_files_define_and_call_what_their_text_says(portable: bool) -> None:
    """Against the linker's view of every file: nothing is missing, and next to nothing too much."""
    include = [toolchain.library_dir() / "include"]
    seen = {source: linked(source, portable) for source in toolchain.library_sources()}
    functions = {name for names, _ in seen.values() for name in names}
    too_much = 0
    for source, (real, wanted) in seen.items():
        text = defined(source)
        assert all(name in text or re.sub(r"\d\w*$", "", name) in text for name in real), source.name
        calls = called(source, toolchain.included(source, include)) & functions
        assert wanted & functions <= calls, source.name
        too_much += len(calls - wanted - real - text)  # what the file defines in the other build is no call
    assert too_much < 20


@pytest.mark.parametrize("case", ["plain", "training"])
def test_arduino_compiles_it_without_flags(models: Path, tmp_path: Path, case: str) -> None:
    """As its builder does: all of src by itself, src the only include path, the sketch as C++ behind Arduino.h."""
    names, options = CASES[case]
    folder = tmp_path / names[0]
    export(library(models, *names, **options), "arduino", folder)
    made = objects(folder, tmp_path, folder / "src", folder / "src", [])
    stub = tmp_path / "core"
    stub.mkdir()
    (stub / "Arduino.h").write_text(
        "#include <stdint.h>\n#include <stdio.h>\nstruct Port {\n    void begin(long) {}\n"
        '    void print(const char *s) { fputs(s, stdout); }\n    void println(int x) { printf("%d\\n", x); }\n};\n'
        "static Port Serial;\nstatic void delay(int) {}\nvoid setup();\nvoid loop();\n"
    )
    sketch = tmp_path / "Run.ino.cpp"
    text = (folder / "examples" / "Run" / "Run.ino").read_text()
    sketch.write_text(f"#include <Arduino.h>\n{text}\nint main() {{ setup(); loop(); loop(); return 0; }}\n")
    program = tmp_path / "sketch"
    run(compiler("c++"), f"-I{stub}", f"-I{folder / 'src'}", sketch, *made, "-lm", "-o", program)
    lines = run(program).splitlines()
    assert len(lines) == 2 and re.fullmatch(rf"{names[0]}: \d+", lines[0])


def test_the_arduino_library_keeps_the_rules_of_its_manager(models: Path, tmp_path: Path) -> None:
    """Those of arduino-lint that say what a library must have."""
    folder = tmp_path / "cat_dog"
    export(library(models, "cat", "dog"), "arduino", folder)
    properties = dict(line.split("=", 1) for line in (folder / "library.properties").read_text().splitlines())
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    assert needed <= set(properties)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_. -]{0,62}", properties["name"]) and properties["name"] == folder.name
    assert not properties["name"].lower().startswith("arduino")
    assert re.fullmatch(r"\d+\.\d+\.\d+", properties["version"])
    assert properties["category"] in {"Data Processing", "Other"} and properties["architectures"] == "*"
    assert all((folder / "src" / header).is_file() for header in properties["includes"].split(","))
    assert all((path / f"{path.name}.ino").is_file() for path in (folder / "examples").iterdir())
    assert (folder / "README.md").is_file() and (folder / "LICENSE").is_file()
    assert not [path for path in folder.rglob("*") if path.suffix in (".exe", ".o", ".a") or path.is_symlink()]


@pytest.mark.skipif(not shutil.which("arduino-lint"), reason="arduino-lint is not installed")
def test_arduino_lint_accepts_it(models: Path, tmp_path: Path) -> None:
    export(library(models, "cat"), "arduino", tmp_path / "cat")
    run("arduino-lint", "--compliance", "strict", "--project-type", "library", tmp_path / "cat")


@needs.arm_gcc
def test_arduino_keeps_float32_products_apart(models: Path, tmp_path: Path) -> None:
    """Its compiler would contract them, and there are no flags that forbid it."""
    export(library(models, "fish"), "arduino", tmp_path / "fish")
    arm = toolchain.find_compiler(ARM)
    flags = [*core("cortex-m4").flags, "-Os", f"-I{tmp_path / 'fish' / 'src'}"]
    for source in (tmp_path / "fish" / "src").rglob("*.c"):
        made = tmp_path / f"{source.name}.o"
        run(arm.tool("gcc"), *flags, "-c", source, "-o", made)
        assert not re.search(r"\bvfn?m[as]\b", run(arm.tool("objdump"), "-d", made)), source.name


@pytest.mark.parametrize("target", [kind for kind in TARGETS if kind != "mpy"])  # which is no source: test_mpy.py
def test_every_kind_has_its_files(models: Path, tmp_path: Path, target: str) -> None:
    files = export(library(models, "cat", "dog"), target, tmp_path / "out")
    own = {
        "cmake": {"CMakeLists.txt", "cortex-m4.cmake", "include/cat.h"},
        "platformio": {"library.json", "include/dog.h", "examples/main.cpp"},
        "arduino": {"library.properties", "src/cat.h", "src/tinyengine/te_model.h"},
        "micropython": {"micropython.mk", "micropython.cmake", "src/te_micropython.c", "src/te_networks.h"},
        "zephyr": {"zephyr/module.yml", "zephyr/CMakeLists.txt", "zephyr/Kconfig"},
    }
    assert {"README.md", "LICENSE", "src/cat.c", "src/dog_weights.c", *own.get(target, set())} <= set(files)
    for name in files:
        text = (tmp_path / "out" / name).read_text()
        assert str(tmp_path) not in text and str(project_root()) not in text, name


def test_the_readme_has_the_figures_of_the_report(monkeypatch, capsys, models, tmp_path) -> None:
    out = tmp_path / "deep" / "out"
    arguments = ("export", models / "cat.tflite", models / "dog.tflite", "--cpu", "cortex-m4", "--for", "c", "-o", out)
    code, text, _ = tinyengine(monkeypatch, capsys, *arguments, "--share-arena", "--json")
    report = json.loads(text)
    assert code == 0
    assert report["for"] == "c" and report["cpu"] == "cortex-m4" and "README.md" in report["files"]
    cat, dog = report["networks"]
    assert (cat["prefix"], dog["prefix"]) == ("cat", "dog")
    assert report["sram_bytes"] == max(cat["arena_bytes"], dog["arena_bytes"])
    readme = (out / "README.md").read_text()
    for figures in (cat, dog):
        weights = figures["flash_bytes"]["weights"]
        assert f"| {figures['macs']:,} | {figures['arena_bytes']:,} | 0 | {weights:,} |" in readme


MISTAKES = {
    "a core": (["--for", "c"], ["--cpu"]),
    "a kind": (["--cpu", "cortex-m4", "--for", "cobol"], ["cobol", "cmake"]),
    "prefixes": (
        ["--cpu", "cortex-m4", "--for", "c", "--prefix", "a", "--prefix", "b"],
        ["1 network wants", "--prefix"],
    ),
    "a word of C": (["--cpu", "cortex-m4", "--for", "c", "--prefix", "int"], ["--prefix int_network"]),
    "too much flash": (["--cpu", "cortex-m4", "--for", "c", "--flash", "100"], ["100 bytes", "flash"]),
    "too much SRAM": (["--cpu", "cortex-m4", "--for", "c", "--sram", "100"], ["100 bytes", "SRAM"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_end_in_one_sentence_and_leave_nothing(monkeypatch, capsys, models, tmp_path, mistake) -> None:
    arguments, words = MISTAKES[mistake]
    code, _, err = tinyengine(monkeypatch, capsys, "export", models / "cat.tflite", "-o", tmp_path / "out", *arguments)
    [sentence] = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2 and all(word in sentence for word in words), sentence
    assert not list(tmp_path.iterdir())


def test_a_folder_in_use_is_left_alone(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    cat = library(models, "cat")
    export(cat, "c", out)  # an empty folder is one's own
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    with pytest.raises(ToolError, match="not empty"):
        export(cat, "c", out)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ToolError, match="not a folder"):
        export(cat, "c", tmp_path / "file")


def test_the_working_directory_may_be_the_folder(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = export(library(models, "cat"), "c", Path("."))
    assert Path.cwd() == tmp_path and all((tmp_path / name).is_file() for name in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LICENSE", "README.md", "examples", "include", "src"]


@pytest.mark.parametrize("name", ["test", "debug", "m", "general", "cat", "cat_network"])
def test_the_target_of_cmake_meets_no_other_name(models: Path, tmp_path: Path, name: str) -> None:
    shutil.copyfile(models / "cat.tflite", tmp_path / f"{name}.tflite")
    export(library(tmp_path, name), "cmake", tmp_path / "out")
    target = f"{name.removesuffix('_network')}_network"
    assert f"add_library({target} STATIC" in (tmp_path / "out" / "CMakeLists.txt").read_text()


def test_many_networks_have_a_name_that_managers_take(models: Path) -> None:
    names = [f"{word}_of_many_networks" for word in ("first", "second", "third")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyengine.export.library.measure_code", lambda compiled: None)
        many = compile_library([models / "cat.tflite"] * 3, CompileOptions(), names)
    assert many.name == "first_of_many_networks_and_2_more"


def test_a_failure_halfway_leaves_nothing(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def write(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return len(data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(ToolError, match="No space left"):
        export(library(models, "cat"), "c", tmp_path / "a" / "out")
    assert len(written) == 4 and not (tmp_path / "a" / "out").exists()
    assert not list((tmp_path / "a").iterdir())


MEET = (
    *(("cat", "cat"), ("cat", "CAT"), ("cat", "cat_weights"), ("Cat_Weights", "cat"), ("cat", "cat_image")),
    *(("cat", "cat_shared"), ("cat_shared", "cat"), ("CAT_STATE", "cat"), ("cat", "cat_arena")),
)


@pytest.mark.parametrize("names", MEET)
def test_names_that_would_meet_are_refused(models: Path, names: tuple[str, str]) -> None:
    with pytest.raises(ToolError, match="names in common"):
        compile_library([models / "cat.tflite"] * 2, CompileOptions(), names)


def test_the_same_library_gives_the_same_bytes(models: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(library(models, "cat", "fish"), "cmake", tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)
    assert np.array(files).size > 20


LOOK = """
#include "eye.h"
#include "eye_image.h"
#include "tinyengine/te_answer.h"

int main(void) {
    static uint32_t memory[TE_IMAGE_BYTES(160, EYE_IMAGE_WIDTH) / 4];
    static uint8_t line[2 * 160];
    static te_image image;
    te_image_source camera = {&te_rgb565be, 160, 120, {0, 0, 0, 0}};
    if (te_image_open(&image, &eye_image, &camera, memory, sizeof memory)) return 1;
    te_image_feed(&image, &eye);
    for (int y = 0; y < 120; y++) te_image_push(&image, line, 1);
    eye.finish();
    return te_answer(&eye.outputs[0], 0.0f, NULL) < 0;
}
"""


@pytest.mark.parametrize("target", ["c", "arduino"])
def test_a_network_of_pictures_has_its_camera_with_it(models: Path, tmp_path: Path, target: str) -> None:
    folder = tmp_path / "networks"
    export(library(models, "eye"), target, folder)
    include = folder / ("include" if target == "c" else "src")
    made = objects(folder, tmp_path, folder / "src", include, STRICT if target == "c" else ["-w"])
    for language, flags in (("c", STRICT), ("c++", AS_CPP)):
        (tmp_path / "look.c").write_text(LOOK)
        run(compiler(language), *flags, f"-I{include}", "-c", tmp_path / "look.c", "-o", tmp_path / "look.o")
        run(compiler(language), tmp_path / "look.o", *made, "-lm", "-o", tmp_path / "look")
        run(tmp_path / "look")
    assert not any("image" in name for name in export(library(models, "cat"), target, tmp_path / "blind"))


def test_a_shared_arena_leaves_te_config_to_its_user(models: Path, tmp_path: Path) -> None:
    """His file comes first on the include path, has other things to say, and may also say where the arena is."""
    folder, own = tmp_path / "networks", tmp_path / "own"
    files = export(library(models, "cat", "dog", shared=True), "c", folder)
    assert not any(name.endswith("te_config.h") for name in files)
    own.mkdir()
    place = '#define TE_SHARED_ARENA __attribute__((section(".fast")))\n'
    (own / "te_config.h").write_text(f"#define TE_PORTABLE\n{place}")
    made = objects(folder, tmp_path, folder / "src", folder / "include", [*STRICT, f"-I{own}"])
    names = {line.split()[-1] for line in run("nm", *made).splitlines() if line}
    assert "te_shared_arena" in names and not names & {"cat_arena", "dog_arena"}
    assert ".fast" in run("objdump", "-t", tmp_path / "src_te_shared_arena.c.o")
    assert "`TE_SHARED_ARENA`" in (folder / "README.md").read_text()
    (own / "te_config.h").write_text("#define CAT_SHARED_ARENA mine\n")
    objects(folder, tmp_path, folder / "src", folder / "include", [*STRICT, f"-I{own}"])
    assert " mine" in run("nm", tmp_path / "src_cat.c.o") and "te_shared_arena" not in run(
        "nm", tmp_path / "src_cat.c.o"
    )


def test_an_empty_folder_may_be_a_device_of_its_own(models: Path, tmp_path: Path, monkeypatch) -> None:
    """Nothing can be renamed into a mount point from outside; what fails halfway leaves it empty."""
    out, rename, left = tmp_path / "mount", os.replace, [99]

    def replace(source: Path, target: Path) -> None:
        left[0] -= 1
        if out in Path(target).parents and out not in Path(source).parents:
            raise OSError(18, "Invalid cross-device link")
        if left[0] == 0:
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "replace", replace)
    out.mkdir()
    left[0] = 3
    with pytest.raises(ToolError, match="Input/output"):
        export(library(models, "cat"), "c", out)
    assert not list(out.iterdir())
    left[0] = 99
    files = export(library(models, "cat"), "c", out)
    assert all((out / name).is_file() for name in files) and not list(out.glob(".*"))


def test_the_readme_names_what_pictures_need(models: Path, tmp_path: Path) -> None:
    metadata = models / "eye.json"
    before = metadata.read_text()
    try:
        metadata.write_text(ModelMetadata(classes=("no", "yes")).to_json())
        export(library(models, "eye"), "c", tmp_path / "out")
    finally:
        metadata.write_text(before)
    [line] = [line for line in (tmp_path / "out" / "README.md").read_text().splitlines() if "pictures" in line]
    assert all(word in line for word in ("eye_image.h", "te_image.h", "te_answer.h", "0 is `no`, 1 is `yes`"))


def test_the_readme_writes_no_zeros_and_one_value(models: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog", "bird", "fish", "eye"):
        export(library(models, name), "c", tmp_path / name)
        text = (tmp_path / name / "README.md").read_text()
        assert "q - 0" not in text and ": 1 values" not in text
        assert ("pictures" in text) == (name == "eye")


def test_a_file_on_the_way_to_the_folder_is_named(models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ToolError, match=r"file is not a folder: name a new one with -o"):
        check_free(tmp_path / "file" / "deep" / "sub")


def test_the_same_file_twice_needs_prefixes(models: Path) -> None:
    with pytest.raises(ToolError, match=r"cat.tflite is named twice.*--prefix"):
        library(models, "cat", "cat")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tinyengine.export.library.measure_code", lambda compiled: None)
        twice = compile_library([models / "cat.tflite"] * 2, CompileOptions(), ["a", "b"])
    assert [network.prefix for network in twice.networks] == ["a", "b"]


def test_the_front_page_counts_the_files_of_its_example(tmp_path: Path) -> None:
    root = project_root()
    [count] = re.findall(r"^wrote (\d+) files to examples/cmake/network", (root / "README.md").read_text(), re.M)
    assert int(count) == len(export(library(root / "models", "person_tiny"), "cmake", tmp_path / "out"))
