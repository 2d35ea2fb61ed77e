"""What is exported: networks compiled for one core, and the files of the kernel library that they use."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tinyengine.compiler import CompiledModel, CompileOptions, compile_model
from tinyengine.compiler.prefix import check_prefix, prefix_of
from tinyengine.errors import ToolError
from tinyengine.export.sources import Kernels, kernels_of
from tinyengine.progress import Say, silent
from tinyengine.project.budget import Code, judge, measure_code
from tinyengine.project.toolchain import library_dir


@dataclass(frozen=True, eq=False)
class Network:
    """A compiled network; ``code`` is None where there is no Arm compiler to measure it."""

    file: str  # name of the model file
    compiled: CompiledModel
    code: Code | None

    @property
    def prefix(self) -> str:
        return self.compiled.prefix

    @property
    def macro(self) -> str:
        """What the names of its macros begin with."""
        return self.prefix.upper()

    @property
    def header_names(self) -> list[str]:
        """Those of the generated files that an application includes."""
        names = (f"{self.prefix}.h", f"{self.prefix}_image.h")
        return [name for name in names if name in self.compiled.sources]

    @property
    def flash_bytes(self) -> int | None:
        """Weights, code and tables, with all that the code calls."""
        return self.compiled.weight_bytes + self.code.flash if self.code else None


@dataclass(frozen=True, eq=False)
class Library:
    """Networks for one core. ``shared_arena``: one arena serves them all, so that only one may run at a time.

    ``glue``: further sources, by name, that call the networks and the kernels; ``arch``: of native MicroPython modules.
    """

    networks: tuple[Network, ...]
    shared_arena: bool = False
    glue: Mapping[str, str] = field(default_factory=dict)
    arch: str = ""

    @property
    def cpu(self) -> str:
        return self.networks[0].compiled.options.cpu

    @property
    def name(self) -> str:
        """Of at most 60 characters: managers of libraries take no more than 63."""
        first, *others = (network.prefix for network in self.networks)
        whole = "_".join([first, *others])
        return whole if len(whole) <= 60 else f"{first}_and_{len(others)}_more"

    @property
    def small(self) -> bool:
        """Whether the code, too, is to be compiled for size."""
        return all(network.compiled.small for network in self.networks)

    @property
    def sram_bytes(self) -> int:
        """Arenas, and what lies beside them."""
        arenas = [network.compiled.plan.arena_bytes for network in self.networks]
        beside = sum(network.compiled.sram_bytes for network in self.networks) - sum(arenas)
        return beside + (max(arenas) if self.shared_arena else sum(arenas))

    @cached_property
    def kernels(self) -> Kernels:
        with tempfile.TemporaryDirectory(prefix="tinyengine-") as scratch:
            for network in self.networks:
                network.compiled.write(Path(scratch))
            for name, text in self.glue.items():
                (Path(scratch) / name).write_text(text, encoding="utf-8")
            return kernels_of(Path(scratch))

    def headers(self) -> dict[str, str]:
        """What an application includes, by the name that it includes it by."""
        root = library_dir().resolve() / "include"
        public = [path for path in self.kernels.headers if root in path.parents]
        texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in public}
        for network in self.networks:
            own = network.compiled.sources
            texts |= {name: own[name] for name in network.header_names}
        if self.shared_arena:
            lines = [f"#define {network.macro}_SHARED_ARENA te_shared_arena\n" for network in self.networks]
            texts["te_config.h"] = "/* The networks of this folder never run at the same time. */\n" + "".join(lines)
        return texts

    def sources(self) -> dict[str, str]:
        """Files to compile, and those that only they include, by their path in one folder."""
        root = library_dir().resolve() / "src"
        private = [path for path in self.kernels.headers if root in path.parents]
        paths = [*(path.resolve() for path in self.kernels.sources), *private]
        texts = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        for network in self.networks:
            own = network.compiled.sources
            texts |= {name: text for name, text in own.items() if name not in network.header_names}
        texts |= self.glue
        if self.shared_arena:
            texts["te_shared_arena.c"] = self._shared_arena()
        return texts

    def _shared_arena(self) -> str:
        largest = max(self.networks, key=lambda network: network.compiled.plan.arena_bytes)
        return (
            f'#include "{largest.prefix}.h"\n\n'
            "/* The arena of all networks of this folder: as large as the largest needs it. */\n"
            "extern uint8_t te_shared_arena[];\n"
            f"uint8_t te_shared_arena[{largest.macro}_ARENA_BYTES] __attribute__((aligned(16)));\n"
        )


def compile_library(
    models: Sequence[Path],
    options: CompileOptions,
    prefixes: Sequence[str] = (),
    shared_arena: bool = False,
    say: Say = silent,
) -> Library:
    """Compile all ``models`` with ``options``, under ``prefixes`` or, without any, under the names of their files.

    ToolError for prefixes that would meet; what compile_model raises for a model; BudgetError for one above a cap.
    """
    if prefixes and len(prefixes) != len(models):
        raise ToolError(
            f"{len(models)} networks want as many prefixes, not {len(prefixes)}: give --prefix once for each"
        )
    names = list(prefixes) or [prefix_of(model) for model in models]
    _check_names(names)
    networks = []
    for model, name in zip(models, names, strict=True):
        say(f"compiling {model.name}")
        compiled = compile_model(model, replace(options, prefix=name))
        code = measure_code(compiled)
        judge(compiled, None, code)
        networks.append(Network(model.name, compiled, code))
    return Library(tuple(networks), shared_arena)


def _check_names(prefixes: Sequence[str]) -> None:
    """ToolError where files or macros of two networks would have the same name."""
    taken: dict[str, str] = {}
    for prefix in prefixes:
        check_prefix(prefix)
        for name in (prefix.lower(), f"{prefix}_weights".lower(), f"{prefix}_image".lower()):
            if name in taken:
                raise ToolError(
                    f"the networks {taken[name]} and {prefix} would have names in common: give other ones, --prefix "
                    "once for each"
                )
            taken[name] = prefix
