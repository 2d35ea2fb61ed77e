"""The kernel library compiled for this computer: the portable twins, or faster ones where the processor has AVX2.

The fast build is for experiments of thousands of training steps. Its results are the same bytes: sums of integers are
exact in any order, and what is computed in float keeps its order. Some kernels are replaced by those in ``avx2/``; a
replaced function of the library is compiled under a name with ``_portable`` behind it, for shapes that its
replacement leaves to it. Everything else is the library as it is, compiled for this very processor.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tinyengine.errors import ToolError
from tinyengine.paths import cache_dir, project_root, replacing

AVX2 = Path(__file__).parent / "avx2"
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
# No fused multiply-add and no excess precision: float results must equal the device's.
FLAGS = ["-O2", "-g", "-ffp-contract=off", "-fno-strict-overflow", "-fvisibility=default"]
FAST_FLAGS = ["-O3" if flag == "-O2" else flag for flag in FLAGS] + ["-march=native"]

REPLACED: dict[str, tuple[str, ...]] = {
    "te_conv.c": ("te_conv2d_s8", "te_depthwise_s8"),
    "te_trained.c": ("te_conv2d_trained_s8",),
    "te_pointwise_gradient.c": ("te_pointwise_weight_gradient",),
    "te_keep.c": ("te_clamp_mask",),
    "te_gradient_sums.c": (
        "te_gradient_tile",
        "te_depthwise_taps",
        "te_widen_rows",
        "te_widen_fours",
        "te_magnitude_4",
        "te_round_4",
        "te_scale_16",
    ),
    "te_conv_fast_ref.c": (
        "te_conv_tiles_exact",
        "te_conv_tiles_exact_doubled",
        "te_conv_tiles_fast",
        "te_conv_tiles_wide",
        "te_conv_tiles_small_exact",
        "te_conv_tiles_small_fast",
        "te_conv_tiles_small_wide",
    ),
    "te_conv_quads_ref.c": ("te_conv_quads_fast", "te_conv_quads_exact"),
    "te_depthwise_map_ref.c": (),
}
"""Functions of the library's files that have a faster twin; a file without any named is left out as a whole."""


def library_sources() -> list[Path]:
    """C files of lib/tinyengine (the portable build needs no assembly)."""
    return sorted((project_root() / "lib" / "tinyengine" / "src").rglob("*.c"))


def library_files(fast: bool = False) -> list[Path]:
    """All that the library's archive depends on."""
    headers = sorted((project_root() / "lib" / "tinyengine").rglob("*.h"))
    return [*library_sources(), *headers, *([*sorted(AVX2.iterdir()), Path(__file__)] if fast else [])]


def compile_options(flags: list[str]) -> list[str]:
    """Options for whatever is compiled against the library."""
    return [*WARNINGS, *flags, "-DTE_PORTABLE", f"-I{project_root() / 'lib' / 'tinyengine' / 'include'}"]


@cache
def processor_macros(compiler: str) -> str:
    """What the compiler defines for this very processor: tells processors apart, and what they can do."""
    command = [compiler, "-march=native", "-dM", "-E", "-x", "c", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if not done.returncode else ""


def fast_flags(compiler: str) -> list[str]:
    """FAST_FLAGS, without -march=native for a compiler that does not know it."""
    return list(FAST_FLAGS) if processor_macros(compiler) else FAST_FLAGS[:-1]


def library_archive(compiler: str, flags: list[str], fast: bool = False) -> Path:
    """The kernel library compiled once for these flags: one relocatable object file in the cache.

    ``fast``: with the kernels of ``avx2/`` if the flags name this processor, and it has AVX2.
    """
    flags = [flag for flag in flags if flag != "-shared"]
    digest = hashlib.sha256(" ".join([compiler, *flags, str(fast)]).encode())
    for path in library_files(fast):
        digest.update(path.name.encode() + path.read_bytes())
    if "-march=native" in flags:
        digest.update(processor_macros(compiler).encode())
    product = cache_dir() / "native" / f"lib-{digest.hexdigest()[:24]}.o"
    if product.exists():
        return product
    with replacing(product) as partial, tempfile.TemporaryDirectory() as scratch:
        avx2 = fast and "-march=native" in flags and "__AVX2__" in processor_macros(compiler)
        sources = _with_avx2(Path(scratch)) if avx2 else library_sources()
        include = f"-I{project_root() / 'lib' / 'tinyengine' / 'src'}"
        names = map(str, sources)
        run_compiler([compiler, *compile_options(flags), include, "-r", "-nostdlib", *names, "-o", str(partial)])
    return product


def _with_avx2(scratch: Path) -> list[Path]:
    """The sources with replacements; those of which something is replaced are included by a file that renames it."""
    sources = sorted(AVX2.glob("*.c"))
    for path in library_sources():
        functions = REPLACED.get(path.name)
        if functions is None:
            sources.append(path)
        elif functions:
            renamed = scratch / path.name
            lines = [f"#define {name} {name}_portable" for name in functions]
            renamed.write_text("\n".join([*lines, f'#include "{path}"', ""]))
            sources.append(renamed)
    return sources


def run_compiler(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"the host's C compiler failed, which is a bug in tinyengine: {done.stderr[:4000]}")
