"""Which blocks of an image run how often: builds the plugin (blocks.c) and reads its records."""

from __future__ import annotations

import hashlib
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyengine.errors import ToolError
from tinyengine.native.build import host_compiler
from tinyengine.paths import cache_dir, replacing

SOURCE = Path(__file__).with_name("blocks.c")
FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]


@dataclass(frozen=True)
class BlockRuns:
    """A block of ``instructions`` from ``address`` on ran ``runs`` times and ``taken`` times did not fall through."""

    address: int
    instructions: int
    runs: int
    taken: int


@dataclass(frozen=True)
class Segment:
    """What ran before execution reached the mark at address ``mark``, and after the mark before it. ``unaligned``:
    cycles that a Cortex-M4 takes for accesses that are not aligned, beyond those of aligned ones."""

    mark: int
    unaligned: int
    blocks: tuple[BlockRuns, ...]


def plugin() -> Path:
    """The plugin as a shared library, built once. ToolError without a C compiler for this host."""
    compiler = host_compiler()
    key = hashlib.sha256(SOURCE.read_bytes() + repr((compiler, FLAGS)).encode()).hexdigest()[:32]
    path = cache_dir() / "native" / f"blocks-{key}.so"
    if not path.exists():
        with replacing(path) as partial:
            command = [compiler, *FLAGS, str(SOURCE), "-o", str(partial)]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no message"])[0]
                raise ToolError(f"{compiler} cannot build QEMU's plugin that counts blocks: {reason}")
    return path


def plugin_arguments(out: Path, marks: Sequence[int]) -> list[str]:
    """For QEMU's command line."""
    places = "".join(f",mark={mark:#x}" for mark in marks)
    return ["-plugin", f"{plugin()},out={out}{places}"]


def read_segments(data: bytes) -> list[Segment]:
    """The records of the plugin, in order. ToolError for a file that ends early."""
    segments = []
    offset = 0
    try:
        while offset < len(data):
            mark, count, unaligned = struct.unpack_from("<IIQ", data, offset)
            offset += 16
            blocks = []
            for _ in range(count):
                blocks.append(BlockRuns(*struct.unpack_from("<IIQQ", data, offset)))
                offset += 24
            segments.append(Segment(mark, unaligned, tuple(blocks)))
    except struct.error as error:
        raise ToolError("QEMU's plugin wrote a damaged file, which is a bug in tinyengine") from error
    return segments
