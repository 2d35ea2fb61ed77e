"""What links beside what: names of their own for library, firmware and networks, headers for C and C++."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tinyengine import __version__, native, reference
from tinyengine.boards import files, load
from tinyengine.codegen.generated import Generated
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.cores import ARM
from tinyengine.native.library import FLAGS, compile_options, library_archive
from tinyengine.paths import project_root
from tinyengine.project import toolchain
from tinyengine.project.firmware import hal_sources, headers

from tests.helpers import needs
from tests.helpers.graphs import small_graph

ROOT = project_root()
HEADERS = sorted((ROOT / "lib" / "tinyengine" / "include").rglob("*.h"))
BOARDS = sorted(path.stem for path in (ROOT / "boards").glob("*.json"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
LANGUAGES = {"c11": ["-x", "c", "-std=c11"], "c++17": ["-x", "c++", "-std=c++17"]}


def exported(objects: list[Path], nm: str) -> set[str]:
    """Names that the objects define for others."""
    lines = subprocess.run([nm, "-g", "--defined-only", *map(str, objects)], capture_output=True, text=True, check=True)
    return {words[2] for words in map(str.split, lines.stdout.splitlines()) if len(words) == 3}


@pytest.mark.slow(but=1)
@needs.arm_gcc
@pytest.mark.parametrize("board", BOARDS)
def test_the_firmware_exports_names_of_its_own(board: str, tmp_path: Path) -> None:
    network = ROOT / "tests" / "helpers" / "native"
    files.write(load(board), tmp_path)
    sources = [*sorted((ROOT / "firmware" / "src").glob("*.c")), *hal_sources(load(board))]
    include = [tmp_path, *headers(), network]
    objects = toolchain.compile_objects(sources, toolchain.device_flags(load(board).cpu), include)
    names = exported(objects, toolchain.find_compiler(ARM).tool("nm"))
    assert {"fw_crc32", "hal_vectors"} < names
    assert not {name for name in names if not name.startswith(("fw_", "hal_"))} - {"main"}


@needs.arm_gcc
def test_the_bench_exports_names_of_its_own() -> None:
    folder = ROOT / "firmware" / "bench"
    include = [folder, ROOT / "lib" / "tinyengine" / "include"]
    objects = toolchain.compile_objects(sorted(folder.glob("*.c")), toolchain.device_flags("cortex-m7"), include)
    names = exported(objects, toolchain.find_compiler(ARM).tool("nm"))
    assert "bench_measure_run" in names
    assert not {name for name in names if not name.startswith("bench_")} - {"main"}


def compiled_sources(model: Generated, folder: Path) -> list[Path]:
    """Objects of the generated code for this computer."""
    model.write(folder)
    objects = []
    for source in sorted(folder.glob("*.c")):
        objects.append(source.with_suffix(".o"))
        command = [native.host_compiler(), *compile_options(FLAGS), f"-I{folder}", "-c", str(source)]
        subprocess.run([*command, "-o", str(objects[-1])], check=True)
    return objects


def test_a_network_exports_names_of_its_own(tmp_path: Path) -> None:
    model = compile_graph(small_graph(), CompileOptions(prefix="cat"))
    names = exported(compiled_sources(model, tmp_path), "nm")
    assert "cat" in names and len(names) > 1
    assert not [name for name in names if name != "cat" and not name.startswith("cat_")]


def test_two_networks_link_into_one_image(tmp_path: Path) -> None:
    """Each gives its own answers, also in turns: neither has memory or names in common with the other."""
    graphs = {"cat": small_graph(), "dog": small_graph()}
    weights = graphs["dog"].tensor("w")
    assert weights.data is not None
    weights.data = -weights.data
    objects, x = [], np.random.default_rng(3).integers(-128, 128, (1, 6, 5, 4)).astype(np.int8)
    for prefix, graph in graphs.items():
        objects += compiled_sources(compile_graph(graph, CompileOptions(prefix=prefix)), tmp_path / prefix)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include <string.h>\n#include "cat.h"\n#include "dog.h"\n'
        "static int8_t x[120];\n"
        "static size_t answer(const te_model *m) {\n    memcpy(m->inputs[0].data, x, 120);\n    m->run();\n"
        "    return fwrite(m->outputs[0].data, 1, 120, stdout);\n}\n"
        "int main(void) {\n    if (fread(x, 1, 120, stdin) != 120) return 1;\n"
        "    return answer(&cat) + answer(&dog) + answer(&cat) + answer(&dog) != 480;\n}\n"
    )
    include = [f"-I{tmp_path / prefix}" for prefix in graphs]
    compiler, program = native.host_compiler(), tmp_path / "both"
    library = library_archive(compiler, FLAGS)
    command = [compiler, *compile_options(FLAGS), *include, str(tmp_path / "main.c"), *map(str, objects), str(library)]
    subprocess.run([*command, "-o", str(program), "-lm"], check=True)
    done = subprocess.run([program], input=x.tobytes(), capture_output=True, check=True)
    cat, dog = (reference.run(compile_graph(graph).graph, [x])[0] for graph in graphs.values())
    assert (cat != dog).any()
    expected = [cat.ravel(), dog.ravel(), cat.ravel(), dog.ravel()]
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.int8), np.concatenate(expected))


def includes(header: str, folders: list[Path], language: str) -> subprocess.CompletedProcess[str]:
    """The compiler on a file that holds nothing but this header, twice."""
    compiler = native.host_compiler()
    command = [compiler, *LANGUAGES[language], *WARNINGS, *(f"-I{folder}" for folder in folders), "-"]
    text = f'#include "{header}"\n#include "{header}"\ntypedef int unit;\n'
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_public_headers_compile_alone(language: str, tmp_path: Path) -> None:
    compile_graph(small_graph()).write(tmp_path)
    include = [HEADERS[0].parents[1], tmp_path]
    names = [f"tinyengine/{path.name}" for path in HEADERS] + ["network.h", "network_weights.h"]
    assert len(names) > 20
    for name in names:
        done = includes(name, include, language)
        assert not done.returncode, f"{name}: {done.stderr[:2000]}"


def test_public_headers_name_c_functions_in_cpp() -> None:
    for path in HEADERS:
        text = path.read_text()
        if path.name != "te_types.h" and re.search(r"\bte_\w+\(|_fn te_", text):
            assert text.count("\nTE_BEGIN_C\n") == text.count("\nTE_END_C\n") == 1, path.name


def test_a_network_of_another_version_does_not_compile(tmp_path: Path) -> None:
    compile_graph(small_graph()).write(tmp_path)
    header = tmp_path / "network.h"
    header.write_text(re.sub(r"(TE_VERSION != )(\d+)", r"\g<1>1\2", header.read_text()))
    done = includes("network.h", [HEADERS[0].parents[1], tmp_path], "c11")
    assert done.returncode and "compile the network again" in done.stderr


def test_library_and_compiler_agree_on_the_version() -> None:
    assert json.loads((ROOT / "lib" / "tinyengine" / "library.json").read_text())["version"] == __version__
