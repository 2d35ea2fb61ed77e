"""Where a network's memory lies is the build's to say: macros, which need nothing, a te_config.h, and shared arenas."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from tinyengine import native, reference
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.compiler.prefix import check_prefix, prefix_of
from tinyengine.errors import ToolError
from tinyengine.ir import Graph
from tinyengine.native.library import FLAGS, compile_options, library_archive

from tests.helpers.graphs import small_graph
from tests.helpers.stateful import compiled as with_states
from tests.helpers.stateful import deep
from tests.helpers.trainable import network

SHARED = "#define CAT_SHARED_ARENA both\n#define DOG_SHARED_ARENA both\n"


def symbols(folder: Path, prefix: str, *flags: str) -> dict[str, str]:
    """Kind, as nm writes it, by name: the objects of the network in ``folder``."""
    names: dict[str, str] = {}
    for source in sorted(folder.glob(f"{prefix}*.c")):
        product = source.with_suffix(".o")
        command = [native.host_compiler(), *compile_options(FLAGS), f"-I{folder}", *flags, "-c", str(source)]
        subprocess.run([*command, "-o", str(product)], check=True)
        done = subprocess.run(["nm", str(product)], capture_output=True, text=True, check=True)
        rows = [line.split() for line in done.stdout.splitlines()]
        names |= {row[-1]: row[-2] for row in rows if row[-2] not in "U"}
    return names


def negated(graph: Graph) -> Graph:
    weights = graph.tensor("w")
    assert weights.data is not None
    weights.data = -weights.data
    return graph


@pytest.fixture(scope="module")
def training(tmp_path_factory) -> Path:
    """A network in training, with every variable that there can be but states."""
    folder = tmp_path_factory.mktemp("training")
    compile_graph(network(), CompileOptions(prefix="cat", train="last-1", velocity=True)).write(folder)
    return folder


def test_variables_are_static_unless_the_build_says_otherwise(training: Path) -> None:
    variables = {f"cat_{name}" for name in ("arena", "state", "velocity", "rows_received")}
    assert {name for name, kind in symbols(training, "cat").items() if kind == "b"} == variables
    names = symbols(training, "cat", "-DCAT_STORAGE=")
    assert not [name for name, kind in names.items() if kind == "b"]
    assert {name for name, kind in names.items() if kind in "BDC"} - {"cat"} == variables


def test_states_too(tmp_path: Path) -> None:
    model = with_states(deep)
    model.write(tmp_path)
    upper = model.prefix.upper()
    names = symbols(tmp_path, model.prefix, f"-D{upper}_STORAGE=")
    assert f"{model.prefix}_states" in {name for name, kind in names.items() if kind in "BDC"}
    assert not [name for name, kind in names.items() if kind == "b"]


def test_memory_goes_to_the_sections_that_the_build_names(training: Path) -> None:
    places = {"ARENA": ".fast", "STATE": ".kept", "WEIGHTS": ".external"}
    lines = [f'#define CAT_{name} __attribute__((section("{place}")))\n' for name, place in places.items()]
    (training / "te_config.h").write_text("".join(lines))
    try:
        symbols(training, "cat")
        objects = [str(path) for path in training.glob("*.o")]
        text = subprocess.run(["objdump", "-t", *objects], capture_output=True, text=True, check=True).stdout
    finally:
        (training / "te_config.h").unlink()
    rows = [line.split() for line in text.splitlines() if " cat" in line]
    sections = {row[-1]: row[-3] for row in rows if "*UND*" not in row}
    assert sections["cat_arena"] == ".fast"
    assert sections["cat_state"] == sections["cat_velocity"] == ".kept"
    assert sections["cat_factory_state"] == ".external"
    weights = [name for name in sections if name.startswith("cat_0")]
    assert weights and {sections[name] for name in weights} == {".external"}


MAIN = """#include <stdio.h>
#include <string.h>
#include "cat.h"
#include "dog.h"
uint8_t both[CAT_ARENA_BYTES > DOG_ARENA_BYTES ? CAT_ARENA_BYTES : DOG_ARENA_BYTES] __attribute__((aligned(16)));
static int8_t x[120];
static size_t answer(const te_model *m) {
    memcpy(m->inputs[0].data, x, 120);
    m->run();
    return fwrite(m->outputs[0].data, 1, 120, stdout);
}
int main(void) {
    if (cat.arena != both || dog.arena != both || fread(x, 1, 120, stdin) != 120) return 1;
    return answer(&cat) + answer(&dog) + answer(&cat) != 360;
}
"""


def test_networks_that_take_turns_share_an_arena(tmp_path: Path) -> None:
    graphs = {"cat": small_graph(), "dog": negated(small_graph())}
    for prefix, graph in graphs.items():
        compile_graph(graph, CompileOptions(prefix=prefix)).write(tmp_path)
    (tmp_path / "te_config.h").write_text(SHARED)
    (tmp_path / "main.c").write_text(MAIN)
    compiler, program = native.host_compiler(), tmp_path / "both"
    sources = sorted(map(str, tmp_path.glob("*.c")))
    command = [compiler, *compile_options(FLAGS), f"-I{tmp_path}", *sources, str(library_archive(compiler, FLAGS))]
    subprocess.run([*command, "-o", str(program), "-lm"], check=True)
    x = np.random.default_rng(3).integers(-128, 128, (1, 6, 5, 4)).astype(np.int8)
    done = subprocess.run([program], input=x.tobytes(), capture_output=True, check=True)
    cat, dog = (reference.run(compile_graph(graph).graph, [x])[0].ravel() for graph in graphs.values())
    assert (cat != dog).any()
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.int8), np.concatenate([cat, dog, cat]))
    names = subprocess.run(["nm", str(program)], capture_output=True, text=True, check=True).stdout
    assert "cat_arena" not in names and "dog_arena" not in names


@pytest.mark.parametrize(
    ("file", "prefix"),
    [
        ("person_tiny.tflite", "person_tiny"),
        ("Keyword Spotting (v2).tflite", "keyword_spotting_v2"),
        ("model.int8.tflite", "model"),
        ("2d.onnx", "network_2d"),
        ("math.tflite", "math_network"),
        ("te_conv.tflite", "network_te_conv"),
        ("arduino_nano.tflite", "network_arduino_nano"),
        ("Read.tflite", "read_network"),
        ("CON.tflite", "con_network"),
        ("пример.tflite", "network"),
        (f"{'a' * 70}.tflite", "a" * 30),
    ],
)
def test_a_prefix_from_a_file_is_always_accepted(file: str, prefix: str) -> None:
    assert prefix_of(Path(file)) == prefix
    check_prefix(prefix)


REFUSED = (
    *("", "1", "a-b", "_a", "ä", "a" * 41, "while", "template", "string", "te", "run", "sin", "exp", "printf", "read"),
    *("write", "NULL", "EOF", "INT8_MAX", "uint32_t", "String", "Math", "Assert", "Time", "aux", "con", "nul", "prn"),
    *("com1", "LPT9", "setup", "loop", "Serial", "Arduino", "delay", "main"),
)


@pytest.mark.parametrize("name", REFUSED)
def test_prefixes_that_c_cannot_have(name: str) -> None:
    with pytest.raises(ToolError, match="--prefix"):
        check_prefix(name)


TAKEN = ("class", "te_conv", f"te_{'a' * 37}", "ArduinoNet", "sin", "NULL", "aux", "INT_LEAST64_MAX")


@pytest.mark.parametrize("name", TAKEN)
def test_the_way_out_of_a_taken_prefix_is_accepted(name: str) -> None:
    with pytest.raises(ToolError) as refusal:
        check_prefix(name)
    check_prefix(str(refusal.value).rsplit(" ", 1)[-1])
