"""A network whose code is written by hand, so that its cost on a simulated core is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
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


@dataclass(eq=False)
class HandMade:
    """A network of 4 bytes in, 4 bytes out, with ``body`` defining run()."""

    prefix: str
    body: str
    profiled: str = "(void)hook; (void)context; run();"
    arena: int = ARENA
    calls: tuple[()] = ()
    graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        quant = Quantization((1.0,), (0,))
        tensors = {name: Tensor(name, (1, 4), quant=quant) for name in "xy"}
        self.graph = Graph(
            "hand", tensors, inputs=[Port("x", "x", "int8", quant)], outputs=[Port("y", "y", "int8", quant)]
        )

    @property
    def sources(self) -> dict[str, str]:
        header = f'#include "tinyengine/te_model.h"\nextern const te_model {self.prefix};\n'
        source = TEMPLATE.format(prefix=self.prefix, body=self.body, profiled=self.profiled, arena=self.arena)
        return {f"{self.prefix}.h": header, f"{self.prefix}.c": source}
