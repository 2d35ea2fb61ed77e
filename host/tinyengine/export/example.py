"""The smallest program around the networks of a library, in what C and C++ have in common."""

from __future__ import annotations

from tinyengine.export.library import Library, Network

CTYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "float32": "float",
    "uint32": "uint32_t",
    "uint64": "te_u64",
}
"""Of the values of ports."""


def example(library: Library) -> str:
    """A main file that runs every network once."""
    includes = "\n".join(f'#include "{network.prefix}.h"' for network in library.networks)
    calls = "\n".join(f"    total += {_function(network)}();" for network in library.networks)
    return f"""/* Runs every network once, on an input of zeros. C and C++. */
#include <string.h>

{includes}

{functions(library)}
int main(void) {{
    int total = 0;
{calls}
    return total < 0; /* so that no compiler leaves the networks out */
}}
"""


def functions(library: Library) -> str:
    """One function for each network, which answers with the index of the largest output."""
    return "\n".join(_run(network) for network in library.networks)


def _function(network: Network) -> str:
    return f"run_{network.prefix}"


def _run(network: Network) -> str:
    prefix, compiled = network.prefix, network.compiled
    graph = compiled.graph
    lines: list[str] = []
    if compiled.training:
        lines.append(f"if (first) {prefix}.trainer->reset(); /* the factory's weights; then train, or load a state */")
    if graph.states:
        lines.append(f"if (first) {prefix}.reset(); /* what it remembers from run to run */")
    start = [f"static int first = 1;\n    {line}" if i == 0 else line for i, line in enumerate(lines)]
    start += ["first = 0;"] if lines else []
    tensor = graph.tensor(graph.inputs[0].tensor)
    if any(call.pushed for call in compiled.calls):
        rows = tensor.hwc()[0]
        feed = [
            f"static const uint8_t row[{tensor.nbytes // rows}] = {{0}}; /* one row of values of its type */",
            f"{prefix}.begin();",
            f"for (int y = 0; y < {rows}; y++) {prefix}.push_rows(row, 1); /* as they arrive */",
            f"{prefix}.finish();",
        ]
    else:
        feed = [
            f"memset({prefix}.inputs[{index}].data, 0, {network.macro}_INPUT_{index}_BYTES);"
            for index in range(len(graph.inputs))
        ]
        feed.append(f"{prefix}.run();")
    output = graph.tensor(graph.outputs[0].tensor)
    values = CTYPES[output.dtype]
    body = "\n".join(f"    {line}" for line in [*start, *feed])
    return f"""static int run_{prefix}(void) {{
{body}
    const {values} *y = (const {values} *){prefix}.outputs[0].data;
    int best = 0;
    for (int i = 1; i < {output.elements}; i++) {{
        if (y[i] > y[best]) best = i;
    }}
    return best;
}}
"""
