"""A network whose code is written by hand, so that its cost on a simulated core is known."""

from __future__ import annotations

import numpy as np
from tinyengine.codegen.generated import Generated
from tinyengine.ir import Graph, Port, Quantization, Tensor

ARENA = 64
X = np.array([[1, 2, 3, 4]], np.int8)
TEMPLATE = """
#include "{prefix}.h"
static uint8_t arena[{arena}] __attribute__((aligned(16)));
{body}
static void run_profiled(te_layer_hook hook, void *context) {{ {profiled} }}
static const te_layer layers[] = {{{{"first", "CONV_2D", 5}}, {{"second", "ADD", 6}}}};
static const te_port in[] = {{{{.name = "x", .data = (int8_t *)arena, .bytes = 4, .scale = 1.0f}}}};
static const te_port out[] = {{{{.name = "y", .data = (int8_t *)arena + 16, .bytes = 4, .scale = 1.0f}}}};
const te_model {prefix} = {{.arena = arena, .arena_bytes = {arena}, .n_inputs = 1, .n_outputs = 1, .n_layers = 2,
    .inputs = in, .outputs = out, .layers = layers, .run = run, .run_profiled = run_profiled}};
"""


class HandMade(Generated):
    """A network of 4 bytes in, 4 bytes out, with ``body`` defining run()."""

    def __init__(
        self, prefix: str, body: str, profiled: str = "(void)hook; (void)context; run();", arena: int = ARENA
    ) -> None:
        quant = Quantization((1.0,), (0,))
        tensors = {name: Tensor(name, (1, 4), quant=quant) for name in "xy"}
        ports = [Port(name, name, "int8", quant) for name in "xy"]
        header = f'#include "tinyengine/te_model.h"\nextern const te_model {prefix};\n'
        source = TEMPLATE.format(prefix=prefix, body=body, profiled=profiled, arena=arena)
        super().__init__(
            Graph("hand", tensors, inputs=ports[:1], outputs=ports[1:]),
            prefix,
            {f"{prefix}.h": header, f"{prefix}.c": source},
            macs=0,
            small=False,
            constants=None,
        )
