"""Generated C: deterministic, safe against hostile names, right through the native backend."""

from __future__ import annotations

import dataclasses
import re
import subprocess

import numpy as np
import pytest
from tinyengine import native, reference
from tinyengine.codegen.values import array_definition, float_literal, identifier, initializer, scalar, string_literal
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.errors import BudgetError
from tinyengine.paths import project_root

from tests.helpers.graphs import small_graph


def test_same_input_same_bytes() -> None:
    assert compile_graph(small_graph()).sources == compile_graph(small_graph()).sources


def test_native_run_equals_the_oracle() -> None:
    compiled = compile_graph(small_graph())
    model = native.build(compiled)
    rng = np.random.default_rng(2)
    for _ in range(5):
        x = rng.integers(-128, 128, (1, 6, 5, 4)).astype(np.int8)
        (expected,) = reference.run(compiled.graph, [x])
        np.testing.assert_array_equal(model.run([x])[0], expected)


def test_layers_carry_name_shapes_macs_and_addresses() -> None:
    compiled = compile_graph(small_graph())
    text = compiled.sources["network.c"]
    macs = 6 * 5 * 4 * 9 * 4
    assert compiled.macs == macs
    assert re.search(
        rf"/\* 0 conv of x: CONV_2D\n \*   6x5x4 @\d+\.\.\d+ -> 6x5x4 @\d+\.\.\d+\n \*   {macs} MACs", text
    )
    assert "NETWORK_STORAGE uint8_t network_arena[NETWORK_ARENA_BYTES]" in text
    assert f"#define NETWORK_ARENA_BYTES {compiled.plan.arena_bytes}u" in compiled.sources["network.h"]


@pytest.mark.parametrize("name", ['*/ int x; /*"', 'back\\slash "quoted"\nline', "ünïcode/δ;1", "%s%n", "??/"])
def test_hostile_names_stay_names(name: str) -> None:
    compiled = compile_graph(small_graph(name=name, label=name))
    x = np.zeros((1, 6, 5, 4), np.int8)
    np.testing.assert_array_equal(native.build(compiled).run([x])[0], reference.run(compiled.graph, [x])[0])


def test_prefix_renames_files_and_symbols() -> None:
    compiled = compile_graph(small_graph(), CompileOptions(prefix="first"))
    assert sorted(compiled.sources) == ["first.c", "first.h", "first_weights.c", "first_weights.h"]
    assert "extern const te_model first;" in compiled.sources["first.h"]


def test_sram_cap_names_the_need_and_the_cap() -> None:
    need = compile_graph(small_graph(), CompileOptions(optimize="sram")).plan.arena_bytes
    assert compile_graph(small_graph(), CompileOptions(sram=need)).plan.arena_bytes <= need
    with pytest.raises(BudgetError, match=rf"{need:,} bytes .* {need - 1:,} bytes"):
        compile_graph(small_graph(), CompileOptions(sram=need - 1))


def test_write_leaves_unchanged_files_alone(tmp_path) -> None:
    compiled = compile_graph(small_graph())
    compiled.write(tmp_path / "out")
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert sorted(before) == sorted(compiled.sources)
    compiled.write(tmp_path / "out")
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # no staging folder left behind


def test_rows_entry_equals_the_frame_entry(tmp_path) -> None:
    compiled = compile_graph(small_graph())
    compiled.write(tmp_path)
    x = np.random.default_rng(3).integers(-128, 128, (1, 6, 5, 4)).astype(np.int8)
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "network.h"\n'
        "int main(void) {\n    static int8_t x[120];\n    if (fread(x, 1, 120, stdin) != 120) return 1;\n"
        "    for (int again = 0; again < 2; again++) {\n"
        "        network.begin();\n        network.push_rows(x, 1);\n        network.push_rows(x + 20, 3);\n"
        "        network.push_rows(x + 80, 2);\n        network.push_rows(x, 6); /* too many: ignored */\n"
        "        network.finish();\n    }\n"
        "    return fwrite(network.outputs[0].data, 1, 120, stdout) != 120;\n}\n"
    )
    root = project_root()
    program = tmp_path / "rows"
    sources = [*map(str, tmp_path.glob("*.c")), *map(str, (root / "lib/tinyengine/src").rglob("*.c"))]
    include = [f"-I{tmp_path}", f"-I{root / 'lib/tinyengine/include'}"]
    subprocess.run([native.host_compiler(), "-DTE_PORTABLE", *include, *sources, "-o", str(program)], check=True)
    done = subprocess.run([program], input=x.tobytes(), capture_output=True, check=True)
    expected = reference.run(compiled.graph, [x])[0]
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.int8).reshape(expected.shape), expected)


def test_options_that_change_results_change_the_hash() -> None:
    plain = compile_graph(small_graph(), identity=b"model")
    other = compile_graph(small_graph(), identity=b"other model")
    meaning = compile_graph(small_graph(), identity=b"model", metadata_json='{"task": "classification"}')
    prefix = compile_graph(small_graph(), dataclasses.replace(CompileOptions(), prefix="p"), identity=b"model")
    assert len({plain.model_hash, other.model_hash, meaning.model_hash}) == 3
    assert prefix.model_hash == plain.model_hash


def test_text_reaches_the_device_as_utf8(tmp_path) -> None:
    texts = ["café", '{"classes": ["Mensch \U0001f642", "niemand"]}', "1\x002", "%s ??= \\", "line\nbreak\t"]
    lines = [f"    fwrite({string_literal(text)}, 1, {len(text.encode())}, stdout);" for text in texts]
    source = tmp_path / "text.c"
    source.write_text("#include <stdio.h>\nint main(void) {\n" + "\n".join(lines) + "\n    return 0;\n}\n", "ascii")
    program = tmp_path / "text"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([native.host_compiler(), *flags, str(source), "-o", str(program)], check=True)
    assert subprocess.run([program], capture_output=True, check=True).stdout == "".join(texts).encode()


def test_literals() -> None:
    assert scalar(-(1 << 31)) == "INT32_MIN"
    assert float.fromhex(float_literal(0.1)[:-1]) == float(np.float32(0.1))
    assert [float_literal(x) for x in (np.inf, -np.inf, np.nan, 1)] == [
        "__builtin_inff()",
        "-__builtin_inff()",
        '__builtin_nanf("")',
        "0x1.0000000000000p+0f",
    ]
    assert identifier("model/a;b c") == "model_a_b_c"
    assert identifier("δ") == "unnamed"
    assert string_literal('a"b\\\x07') == '"a\\"b\\\\\\007"'
    assert string_literal("??/1") == '"?\\077/1"'
    assert initializer({"a": 1, "b": [1, 2]}, str) == "{.a = 1, .b = {1, 2}}"
    definition = array_definition("x", np.array([1, 0xFFFFFFFF], np.uint32), "HERE")
    assert "const uint32_t x[2] HERE __attribute__((aligned(4))) = {\n    0x00000001, 0xffffffff,\n};" in definition
