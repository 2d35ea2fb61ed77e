"""Native modules: one .mpy for each network, loaded by firmware that knows nothing of tinyengine."""

from __future__ import annotations

from tinyengine import __version__
from tinyengine.export.library import Library
from tinyengine.export.mpy import NativeModule, link_module
from tinyengine.export.romfs import romfs
from tinyengine.export.targets.base import Files
from tinyengine.paths import project_root


def files(library: Library) -> Files:
    modules = [link_module(network.compiled, library.arch) for network in library.networks]
    out: Files = {f"{module.name}.mpy": module.mpy for module in modules}
    weights = {f"{module.name}.weights": module.weights for module in modules if module.weights is not None}
    if weights:
        out |= {**weights, "weights.romfs": romfs(weights)}
    out["LICENSE"] = (project_root() / "LICENSE").read_text(encoding="utf-8")
    return out | {"README.md": _readme(library, modules)}


def _readme(library: Library, modules: list[NativeModule]) -> str:
    rows = ["| file | bytes | heap for the arena and what lies beside it |", "|---|---:|---:|"]
    for module, network in zip(modules, library.networks, strict=True):
        rows.append(f"| `{module.name}.mpy` | {len(module.mpy):,} | {network.compiled.sram_bytes:,} |")
        if module.weights is not None:
            rows.append(f"| `{module.name}.weights` | {len(module.weights):,} | none, where it lies in a ROMFS |")
    first = modules[0].name
    code = [f"import {first}"]
    if modules[0].weights is None:
        code.append(f"net = {first}.Network()")
    else:
        code.append(f'net = {first}.Network(memoryview(open("/rom/{first}.weights", "rb")))')
    code.append("out = net.run(buffer)          # bytes of the input; `out` is a view of the output")
    parts = [
        f"# {library.name}\n",
        f"Native MicroPython modules for {library.arch}, made by tinyengine {__version__} of "
        f"{', '.join(network.file for network in library.networks)}. They load in MicroPython 1.23 and later.\n",
        "\n".join(rows) + "\n",
        "```python\n" + "\n".join(code) + "\n```\n",
        "Copy the `.mpy` to the board (`mpremote cp`): code and constants in it are copied to the heap.",
    ]
    if modules[0].weights is not None:
        parts.append(
            "`mpremote romfs deploy weights.romfs` puts the weights into a board's ROMFS, where they are read in "
            "place. On a board without one, copy the file of weights too, and give `Network` what `open(...).read()` "
            "returns."
        )
    return "\n".join([*parts, "docs/micropython.md of tinyengine has the rest. MIT license, see LICENSE.\n"])
