"""Builds generated networks with the host's C compiler and runs them."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinyengine.codegen.generated import Generated
from tinyengine.errors import ToolError
from tinyengine.ir import Graph
from tinyengine.ir.graph import DTYPES
from tinyengine.native.library import (
    FLAGS,
    compile_options,
    fast_flags,
    library_archive,
    library_files,
    processor_macros,
    run_compiler,
)
from tinyengine.paths import cache_dir, replacing
from tinyengine.step import Sample, Update

HERE = Path(__file__).parent
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


class NativeModel:
    """One network inside a shared library."""

    def __init__(self, library: ctypes.CDLL, index: int, graph: Graph) -> None:
        self.library = library
        self.index = index
        self.graph = graph
        self.reset()

    def reset(self) -> None:
        """All states to their initial values."""
        self.library.native_reset(self.index)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Arrays in types and shapes of the graph's inputs -> those of its outputs. States go on from the last run."""
        self.feed(inputs)
        self.library.native_run(self.index)
        outputs = []
        for i, port in enumerate(self.graph.outputs):
            tensor = self.graph.tensor(port.tensor)
            data = np.empty(tensor.shape, DTYPES[tensor.dtype])
            self.library.native_io(self.index, 1, i, data.ctypes.data_as(ctypes.c_void_p))
            outputs.append(data)
        return outputs

    def boxes(self, most: int) -> np.ndarray:
        """What a detector finds in the outputs of the last run, (N, 6) uint16 as in a te_box; ``most``: as its plan
        has it."""
        data = np.zeros((most, 6), np.uint16)
        return data[: self.library.native_boxes(self.index, data.ctypes.data_as(ctypes.c_void_p))]

    def trace(self, inputs: Sequence[np.ndarray], layer: int, offset: int, length: int) -> bytes:
        """Run on ``inputs``: what ``length`` bytes of the arena from ``offset`` on hold right after a layer."""
        self.feed(inputs)
        data = np.empty(length, np.uint8)
        self.library.native_trace(self.index, layer, offset, length, data.ctypes.data_as(ctypes.c_void_p))
        return data.tobytes()

    def feed(self, inputs: Sequence[np.ndarray]) -> None:
        """Deliver inputs, as for :meth:`run`, without running the network."""
        for i, (port, value) in enumerate(zip(self.graph.inputs, inputs, strict=True)):
            data = self.graph.tensor(port.tensor).array(value)
            self.library.native_io(self.index, 0, i, data.ctypes.data_as(ctypes.c_void_p))


def host_compiler() -> str:
    """The host's C compiler: $CC, else cc, gcc or clang."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if name and shutil.which(name):
            return name
    raise ToolError("no C compiler found on this host: install gcc or clang, or set CC to one")


def build(compiled: Generated, fast: bool = False) -> NativeModel:
    """Compile one network into a shared library (cached by content) and load it.

    ``fast``: with kernels for this very processor, which give the same bytes (``native.library``).
    """
    return build_many([compiled], fast)[0]


def build_many(models: Sequence[Generated], fast: bool = False) -> list[NativeModel]:
    """Several networks, with different prefixes, in one shared library."""
    flags = fast_flags(host_compiler()) if fast else FLAGS
    key = _digest(models, flags, fast)
    path = cache_dir() / "native" / f"{key}.so"
    if not path.exists():
        with replacing(path) as partial, tempfile.TemporaryDirectory() as scratch:
            _compile(models, Path(scratch), partial, [*flags, "-shared", "-fPIC"], HERE / "shim.c", fast=fast)
    library = ctypes.CDLL(str(path))
    return [NativeModel(library, index, model.graph) for index, model in enumerate(models)]


def run_many(
    models: Sequence[Generated],
    inputs: Sequence[Sequence[np.ndarray]],
    sanitize: bool = True,
    compiler: str | None = None,
) -> list[list[np.ndarray]]:
    """Run each network once over its inputs, as :func:`run_in_a_row`."""
    return [run for [run] in run_in_a_row(models, [[each] for each in inputs], sanitize, compiler)]


def run_in_a_row(
    models: Sequence[Generated],
    runs: Sequence[Sequence[Sequence[np.ndarray]]],
    sanitize: bool = True,
    compiler: str | None = None,
) -> list[list[list[np.ndarray]]]:
    """Run each network, from its initial states on, over the inputs of its runs: all in one process, by default under
    address and undefined-behaviour sanitizers; a finding raises AssertionError with the sanitizer's report."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "runner"
        flags = [*FLAGS, *(SANITIZE if sanitize else [])]
        _compile(models, Path(scratch), program, flags, HERE / "runner.c", compiler)
        feed = []
        for model, cases in zip(models, runs, strict=True):
            tensors = [model.graph.tensor(port.tensor) for port in model.graph.inputs]
            feed.append(struct.pack("=I", len(cases)))
            feed += [t.array(x).tobytes() for case in cases for t, x in zip(tensors, case, strict=True)]
        done = subprocess.run([program], input=b"".join(feed), capture_output=True, timeout=600, check=False)
    if done.returncode:
        raise AssertionError(f"native run failed ({done.returncode}):\n{done.stderr.decode(errors='replace')[:8000]}")
    results: list[list[list[np.ndarray]]] = []
    offset = 0
    for model, cases in zip(models, runs, strict=True):
        answers: list[list[np.ndarray]] = [[] for _ in cases]
        for answer in answers:
            for port in model.graph.outputs:
                tensor = model.graph.tensor(port.tensor)
                answer.append(tensor.from_bytes(done.stdout[offset : offset + tensor.nbytes]))
                offset += tensor.nbytes
        results.append(answers)
    return results


def run_steps(
    compiled: Generated,
    state_bytes: int,
    steps: Sequence[tuple[np.ndarray, Sample, Update]],
    sanitize: bool = True,
    fast: bool = False,
) -> list[tuple[float, int, bytes]]:
    """Training steps (int8 input, sample, update) or, of a language model, (uint16 tokens, as many as the sample's
    label and one, update) from the factory state in a process of their own, by default under
    sanitizers as ``run_many``:
    per step the loss, the predicted class and the state that it left."""
    feed = [struct.pack("<I", len(steps))]
    for x, sample, update in steps:
        feed += [struct.pack("<2I", sample.label, sample.classes), update.pack()]
        feed.append(np.ascontiguousarray(x, x.dtype if x.dtype == np.uint16 else np.int8).tobytes())
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "runner"
        flags = [*(fast_flags(host_compiler()) if fast else FLAGS), *(SANITIZE if sanitize else [])]
        _compile([compiled], Path(scratch), program, flags, HERE / "step_runner.c", fast=fast)
        done = subprocess.run([program], input=b"".join(feed), capture_output=True, timeout=600, check=False)
    if done.returncode:
        raise AssertionError(f"native steps failed ({done.returncode}):\n{done.stderr.decode(errors='replace')[:8000]}")
    size = 8 + state_bytes
    assert len(done.stdout) == size * len(steps)
    blocks = [done.stdout[size * i : size * (i + 1)] for i in range(len(steps))]
    return [(*struct.unpack("<fI", block[:8]), block[8:]) for block in blocks]


def _digest(models: Sequence[Generated], flags: list[str], fast: bool) -> str:
    digest = hashlib.sha256()
    for model in models:
        for name in sorted(model.sources):
            digest.update(name.encode() + b"\0" + model.sources[name].encode() + b"\0")
    for path in [*library_files(fast), HERE / "shim.c"]:
        digest.update(path.read_bytes())
    digest.update(" ".join([host_compiler(), *flags]).encode())
    if fast:
        digest.update(processor_macros(host_compiler()).encode())
    return digest.hexdigest()[:24]


def _compile(
    models: Sequence[Generated],
    scratch: Path,
    product: Path,
    flags: list[str],
    main: Path,
    compiler: str | None = None,
    fast: bool = False,
) -> None:
    """Compile generated sources and ``main`` and link them with the kernel library."""
    compiler = compiler or host_compiler()
    sources: list[Path] = []
    for model in models:
        for name, text in model.sources.items():
            (scratch / name).write_text(text)
            if name.endswith(".c"):
                sources.append(scratch / name)
    table = scratch / "native_table.c"
    table.write_text(_table([model.prefix for model in models]))
    archive = library_archive(compiler, flags, fast)
    parts = map(str, [*sources, table, main, archive])
    run_compiler([compiler, *compile_options(flags), f"-I{scratch}", *parts, "-o", str(product)])


def _table(prefixes: Sequence[str]) -> str:
    includes = "\n".join(f'#include "{prefix}.h"' for prefix in prefixes)
    entries = ", ".join(f"&{prefix}" for prefix in prefixes)
    return (
        f"{includes}\n\nextern const te_model *const native_models[];\nextern const uint32_t native_model_count;\n"
        f"const te_model *const native_models[] = {{{entries}}};\n"
        f"const uint32_t native_model_count = {len(prefixes)};\n"
    )
