"""Pictures in a camera's formats, what the host makes of them, and what te_image.h does: natively under sanitizers, and
on a simulated core."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from tinyengine.codegen.generated import Generated
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import ModelMetadata
from tinyengine.data.pixels import FORMATS
from tinyengine.ir import Graph, Port, Tensor
from tinyengine.native.build import SANITIZE, host_compiler
from tinyengine.native.library import FLAGS, WARNINGS
from tinyengine.paths import cache_dir, project_root, replacing

from tests.helpers.batch import STRICT

HERE = Path(__file__).parent
LIBRARY = project_root() / "lib" / "tinyengine"
IMAGE = LIBRARY / "src" / "image"
SOURCES = [HERE / "picture_job.c", IMAGE / "te_image.c", IMAGE / "te_lines.c", IMAGE / "te_pixels.c"]


@dataclass(frozen=True, eq=False)
class PictureCase:
    """A frame of a camera and the input that it is to become. ``area``: x, y, width, height of what counts."""

    format: str
    width: int
    height: int
    form: InputForm
    frame: bytes
    area: tuple[int, int, int, int] = (0, 0, 0, 0)
    by_lines: bool = True
    unheard: bool = False  # nobody takes the rows

    def expected(self) -> np.ndarray:
        """int8 (rows, columns, channels), by the host."""
        picture = FORMATS[self.format].frame(self.frame, self.width, self.height)
        x, y, width, height = self.area
        if width:
            picture = picture.crop((x, y, x + width, y + height))
            metadata = ModelMetadata(**{**vars(self.form.metadata), "crop": "none"})
            form = InputForm(self.form.shape, self.form.scale, self.form.zero_point, metadata)
        else:
            form = self.form
        values = form.values(picture)
        return np.broadcast_to(values, self.form.shape)  # one channel stands for all

    def job(self) -> bytes:
        """The picture_job, and the frame."""
        height, width, channels = self.form.shape
        meaning = self.form.metadata
        table = meaning.mapping.to_int8(np.arange(256, dtype=np.uint8), self.form.scale, self.form.zero_point)
        luma = channels == 1 or meaning.color == "luma"
        flags = (luma, meaning.resize == "nearest", meaning.crop == "center")
        head = struct.pack(
            "<4I2H4H",
            [*FORMATS].index(self.format),
            self.by_lines,
            self.unheard,
            len(self.frame),
            self.width,
            self.height,
            *self.area,
        )
        head += struct.pack("<2H4B256s", width, height, channels, *flags, table.tobytes())
        return head + self.frame

    def __str__(self) -> str:
        return f"{self.format} {self.width}x{self.height} {self.area} -> {self.form.shape} {self.form.metadata}"


@dataclass(frozen=True)
class Answer:
    """What te_image.h said: status of te_image_open (or 100, 101: a faulty test), its memory, the rows."""

    status: int
    memory: int
    rows: np.ndarray


@cache
def native_program() -> Path:
    """Address and undefined-behaviour sanitizers, the strictest warnings."""
    program = cache_dir() / "native" / "camera"
    includes = [f"-I{LIBRARY / 'include'}", f"-I{HERE}"]
    with replacing(program) as partial:
        sources = map(str, [HERE / "native_main.c", *SOURCES])
        command = [host_compiler(), *WARNINGS, *STRICT, *FLAGS, *SANITIZE, *includes, *sources, "-o", str(partial)]
        subprocess.run(command, check=True)
        partial.chmod(0o755)
    return program


class NativeCamera:
    """A process that converts one picture after another."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([native_program()], stdin=pipe, stdout=pipe, stderr=pipe)

    def convert(self, case: PictureCase) -> Answer:
        """AssertionError with the sanitizers' words where they have something to say."""
        assert self.process.stdin and self.process.stdout and self.process.stderr
        try:
            self.process.stdin.write(case.job())
            self.process.stdin.flush()
            head = self.process.stdout.read(12)
        except BrokenPipeError:
            head = b""
        if len(head) < 12:
            raise AssertionError(self.process.stderr.read().decode(errors="replace")[:4000])
        status, size, memory = struct.unpack("<3I", head)
        return Answer(status, memory, np.frombuffer(self.process.stdout.read(size), np.int8))

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(60) == 0


@dataclass(eq=False)
class PictureNetwork(Generated):
    """Cases as the input of something that looks like a network, so that the bench runs it."""

    cases: list[PictureCase] = field(default_factory=list)

    @property
    def input(self) -> np.ndarray:
        return np.frombuffer(b"".join(_padded(case.job()) for case in self.cases), np.uint8)

    def split(self, output: np.ndarray) -> list[np.ndarray]:
        """The rows of each case."""
        ends = np.cumsum([int(np.prod(case.form.shape)) for case in self.cases])
        return np.split(output.ravel()[: ends[-1]], ends[:-1])


def picture_network(cases: Sequence[PictureCase], memory: int = 1 << 16) -> PictureNetwork:
    """Of cases that te_image.h takes."""
    given = sum(len(_padded(case.job())) for case in cases)
    made = sum(int(np.prod(case.form.shape)) for case in cases) + 3 & ~3
    macros = {"INPUT_BYTES": given, "OUTPUT_BYTES": made, "MEMORY_BYTES": memory, "JOBS": len(cases)}
    header = '#ifndef NETWORK_H\n#define NETWORK_H\n#include "tinyengine/te_model.h"\n'
    header += "".join(f"#define {name} {value}u\n" for name, value in macros.items())
    sources = {
        "network.h": header + "extern const te_model network;\n#endif\n",
        "network.c": (HERE / "network.c.in").read_text(),
        **{name: (HERE / name).read_text() for name in ("picture_job.c", "picture_job.h")},
    }
    graph = Graph("pictures")
    for port, name, size, dtype in ((graph.inputs, "jobs", given, "uint8"), (graph.outputs, "rows", made, "int8")):
        graph.tensors[name] = Tensor(name, (size,), dtype)
        port.append(Port(name, name, dtype))
    return PictureNetwork(graph, "network", sources, given, False, None, [*cases])


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
