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
    """A compiled network; ``code`` is None where there is no compiler to measure it."""

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
            for network in self.networks:
                texts[f"{network.prefix}.c"] = _sharing(network) + texts[f"{network.prefix}.c"]
            texts["te_shared_arena.c"] = self._shared_arena()
        return texts

    def _shared_arena(self) -> str:
        largest = max(self.networks, key=lambda network: network.compiled.plan.arena_bytes)
        return (
            f'#include "{largest.prefix}.h"\n\n'
            "/* The arena of all networks of this folder: as large as the largest needs it. */\n"
            "extern uint8_t te_shared_arena[];\n"
            "#ifndef TE_SHARED_ARENA /* its attributes, such as a section */\n#define TE_SHARED_ARENA\n#endif\n"
            f"uint8_t te_shared_arena[{largest.macro}_ARENA_BYTES] TE_SHARED_ARENA __attribute__((aligned(16)));\n"
        )


def _sharing(network: Network) -> str:
    """What ``<prefix>.c`` begins with; behind the header, in which a te_config.h may have named another array."""
    macro = f"{network.macro}_SHARED_ARENA"
    return (
        f'#include "{network.prefix}.h"\n\n/* The networks of this folder never run at the same time. */\n'
        f"#ifndef {macro}\n#define {macro} te_shared_arena\n#endif\n\n"
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
        want = "1 network wants 1 prefix" if len(models) == 1 else f"{len(models)} networks want as many prefixes"
        raise ToolError(f"{want}, not {len(prefixes)}: give --prefix once for each network")
    twice = [model for i, model in enumerate(models) if model in models[:i]]
    if twice and not prefixes:
        raise ToolError(f"{twice[0]} is named twice: name it once, or give --prefix once for each network")
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


_ENDS = ("arena", "bound", "image", "rows_received", "shared", "state", "states", "velocity", "weights")
"""What the names of files, variables and macros of one network end in, where they could be those of another:
CAT_SHARED_ARENA is the macro of cat and the arena of cat_shared."""


def _check_names(prefixes: Sequence[str]) -> None:
    """ToolError where files or macros of two networks would have the same name."""
    taken: dict[str, str] = {}
    for prefix in prefixes:
        check_prefix(prefix)
        for name in [prefix.lower(), *(f"{prefix}_{end}".lower() for end in _ENDS)]:
            if name in taken:
                raise ToolError(
                    f"the networks {taken[name]} and {prefix} would have names in common: give other ones, --prefix "
                    "once for each"
                )
            taken[name] = prefix
