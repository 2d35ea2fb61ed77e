"""The README of an exported folder: what is in it, what it takes, how it is called."""

from __future__ import annotations

import json

from tinyengine import __version__
from tinyengine.cores import OPTIMIZATION, OPTIMIZATION_SMALL, core
from tinyengine.export.library import Library, Network
from tinyengine.ir import Port
from tinyengine.project.toolchain import compiler_label, has_compiler
from tinyengine.sizes import format_size

_ROUNDING = {
    "exact": "Outputs are those of TFLite's reference kernels, bit for bit.",
    "fast": "Outputs are within 1 of those of TFLite's reference kernels; with `--requant exact` they are the same.",
}


def readme(library: Library, building: str) -> str:
    """``building``: how a program takes the folder in, in Markdown."""
    first = library.networks[0]
    names = ", ".join(f"`{network.prefix}`" for network in library.networks)
    parts = [
        f"# {library.name}\n",
        f"{names} for the {library.cpu}, in C: compiled by tinyengine {__version__} from "
        f"{', '.join(network.file for network in library.networks)}, with the kernels that they use. Nothing is "
        f"allocated or interpreted. {_ROUNDING[first.compiled.options.requant]}\n",
        "## Sizes\n",
        _sizes(library),
        "## Building\n",
        building.strip() + "\n",
        _flags(library),
        "## Calling\n",
        *(_calling(network) for network in library.networks),
        "`tinyengine/te_model.h` says what else a network offers: input by rows, a hook between layers, training. "
        f"Macros (`{first.macro}_ARENA`, ...) put its memory where you want it; they stand in `{first.prefix}.c` and "
        f"`{first.prefix}_weights.h`. "
        + ("`TE_SHARED_ARENA` says where the arena that all share is to be. " if library.shared_arena else "")
        + "One network is not reentrant; "
        + (
            "these share one arena, so only one runs at a time, and its outputs are there until the next one runs.\n"
            if library.shared_arena
            else "different ones may run in different threads.\n"
        ),
        "MIT license, see LICENSE.\n",
    ]
    return "\n".join(parts)


def _sizes(library: Library) -> str:
    rows = ["| network | MACs | arena | beside it | weights | code |", "|---|---:|---:|---:|---:|---:|"]
    for network in library.networks:
        compiled = network.compiled
        beside = compiled.sram_bytes - compiled.plan.arena_bytes
        code = f"{network.code.flash:,}" if network.code else "not measured"
        rows.append(
            f"| `{network.prefix}` | {compiled.macs:,} | {compiled.plan.arena_bytes:,} | {beside:,} | "
            f"{compiled.weight_bytes:,} | {code} |"
        )
    text = "\n".join(rows) + "\n\nBytes. Code is that of a network alone, with all that it calls"
    text += f" ({compiler_label(library.cpu, library.small)}). " if has_compiler(core(library.cpu).compiler) else ". "
    total = f"SRAM in all: {format_size(library.sram_bytes)}"
    return f"{text}{total}{', in one shared arena' if library.shared_arena else ''}.\n"


def _flags(library: Library) -> str:
    flags = " ".join(core(library.cpu).flags)
    optimization = OPTIMIZATION_SMALL if library.small else OPTIMIZATION
    return (
        f"The sizes are for `{flags} {optimization} -ffp-contract=off -ffunction-sections -fdata-sections` and "
        "`-Wl,--gc-sections`. `-ffp-contract=off` is needed where numbers in float32 are to be the same as everywhere "
        "else.\n"
    )


def _calling(network: Network) -> str:
    graph = network.compiled.graph
    lines = [f'`#include "{network.prefix}.h"`, then `{network.prefix}` is a `const te_model`:\n']
    lines += [_port(network, f"inputs[{i}]", port) for i, port in enumerate(graph.inputs)]
    lines += [_port(network, f"outputs[{i}]", port) for i, port in enumerate(graph.outputs)]
    if any(call.pushed for call in network.compiled.calls):
        lines.append("- input by rows: `begin()`, `push_rows(rows, count)`, `finish()`")
    else:
        lines.append("- fill the inputs, then `run()`: it consumes them")
    if graph.states:
        lines.append("- `reset()` before the first run: it remembers from run to run")
    if network.compiled.training:
        functions = "`segment()`" if network.compiled.training.segment else "`step()` and `evaluate()`"
        lines.append(f"- `trainer`: first `reset()`, then {functions}; see `tinyengine/te_train.h`")
    lines += _pictures(network)
    return "\n".join(lines) + "\n"


def _pictures(network: Network) -> list[str]:
    """Of a network that takes pictures: how a camera comes in, and what comes out."""
    header = f"{network.prefix}_image.h"
    if header not in network.header_names:
        return []
    line = (
        f"- pictures: `{header}` has the constant `{network.prefix}_image`, with which `tinyengine/te_image.h` makes "
        "the input of a camera's lines; `tinyengine/te_answer.h` makes a class of the output"
    )
    classes = json.loads(network.compiled.metadata_json).get("classes", [])
    return [line + (": " + ", ".join(f"{i} is `{name}`" for i, name in enumerate(classes)) if classes else "")]


def _port(network: Network, name: str, port: Port) -> str:
    tensor = network.compiled.graph.tensor(port.tensor)
    dims = tensor.shape[1:] if len(tensor.shape) > 1 else tensor.shape
    shape = " x ".join(map(str, dims))
    text = f"- `{name}`: {shape} {'value' if shape == '1' else 'values'} of {tensor.dtype}"
    if tensor.quant:
        scale, zero = tensor.quant.scalar()
        text += f"; value = {scale:.9g} * " + (f"(q - {zero})".replace("- -", "+ ") if zero else "q")
    return text
