"""Outputs of detectors, and te_boxes.h on all of them in one network, natively or on a simulated core."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tinyengine.codegen.boxes import boxes_definition
from tinyengine.codegen.generated import Generated
from tinyengine.codegen.storage import Storage
from tinyengine.data.box_plan import BoxPlan, box_of, plan_boxes, planned_boxes
from tinyengine.data.boxes import HEADS, Box, BoxHead
from tinyengine.device.client import BOX
from tinyengine.ir import Graph, Port, Tensor


@dataclass(frozen=True)
class OutputOf:
    """An output of a network, without the batch."""

    shape: tuple[int, ...]
    dtype: str = "int8"
    scale: float = 1.0
    zero_point: int = 0


@dataclass(frozen=True, eq=False)
class BoxCase:
    """A head, the outputs' forms and values, and the plan that follows."""

    head: BoxHead
    ports: list[OutputOf]
    outputs: list[np.ndarray]
    size: tuple[int, int]
    classes: int

    @property
    def plan(self) -> BoxPlan:
        plan = plan_boxes(self.ports, self.head, self.size, self.classes)
        assert plan is not None
        return plan

    @property
    def expected(self) -> list[Box]:
        return planned_boxes(self.plan, self.outputs)

    @property
    def real(self) -> list[np.ndarray]:
        return [
            port.scale * (values.astype(np.float64) - port.zero_point) if port.dtype != "float32" else values
            for port, values in zip(self.ports, self.outputs, strict=True)
        ]


def box_case(seed: int, kind: str | None = None) -> BoxCase:
    """Of any head, with values that often repeat, so that scores are equal and objects lie over each other."""
    r = np.random.default_rng(seed)
    kind = kind or str(r.choice(HEADS))
    classes = int(r.integers(1, 5))
    dtype = str(r.choice(["int8", "uint8"]))
    low = -128 if dtype == "int8" else 0
    size = int(r.integers(8, 200)), int(r.integers(8, 200))
    common = {
        "threshold": float(np.round(r.uniform(0.05, 0.7), 2)),
        "overlap": float(np.round(r.uniform(0, 1), 2)),
        "most": int(r.integers(1, 12)),
    }
    rows, columns = (int(n) for n in r.integers(1, 9, 2))
    if kind == "ssd":
        count = int(r.integers(1, 9))
        values = [r.normal(0.4, 0.5, (count, 4)), r.integers(0, 4, count), np.round(r.random(count) * 9) / 8]
        outputs = [each.astype(np.float32) for each in [*values, r.integers(-1, count + 2, 1)]]
        outputs[0][r.random((count, 4)) < 0.05] = np.nan
        ports = [OutputOf(each.shape, "float32") for each in outputs]
        return BoxCase(BoxHead("ssd", **common), ports, outputs, size, classes)
    if kind == "grid":
        anchors = tuple((float(w), float(h)) for w, h in np.round(r.uniform(0.02, 1, (int(r.integers(1, 4)), 2)), 3))
        named = classes if classes > 1 or r.integers(2) else 0
        reach = float(r.choice([1.0, 2.0, 4.0]))
        head = BoxHead("grid", anchors=anchors, reach=reach, **common)
        port = OutputOf(
            (rows, columns, len(anchors) * (5 + named)), dtype, float(r.uniform(0.01, 0.2)), low + int(r.integers(256))
        )
    elif kind == "heatmap":
        head = BoxHead("heatmap", **common)
        port = OutputOf((rows, columns, 1 + classes), dtype, 1 / 256, low)
    else:
        objectness, unit = bool(r.integers(2)), str(r.choice(["input", "pixel"]))
        width, count = 4 + objectness + classes, int(r.integers(classes + 6, 60))
        head = BoxHead("points", objectness=objectness, unit=unit, **common)
        shape = (width, count) if r.integers(2) else (count, width)
        port = OutputOf(shape, dtype, max(size) / 255 if unit == "pixel" else 1 / 255, low + int(r.integers(9)))
    some = r.integers(0, 256, 12)
    bytes_ = r.choice(some, port.shape) if r.integers(2) else r.integers(0, 256, port.shape)
    outputs = [(bytes_ + low).astype(dtype)]
    return BoxCase(head, [port], outputs, size, classes)


_OWN = re.compile(r"\b(box_\w+|boxes|find_boxes)\b")


def box_network(cases: Sequence[BoxCase]) -> Generated:
    """A network whose run looks for the boxes of all cases; its output holds the number of each's and then these."""
    parts = ['#include "network.h"\n\n#include <string.h>\n']
    calls, size = [], 0
    for k, case in enumerate(cases):
        own = Storage(f"c{k}")
        names = []
        for number, values in enumerate(case.outputs):
            names.append(f"c{k}_values{number}")
            data = ", ".join(map(str, values.view(np.uint8).ravel()))
            parts.append(f"static const uint8_t {names[-1]}[] __attribute__((aligned(8))) = {{{data}}};")
        parts += [f"#define {own.macro(name)}{what}" for name, what in (("STORAGE", " static"), ("STATE", ""))]
        parts.append(_OWN.sub(rf"its{k}_\1", boxes_definition(case.plan, own, names)))
        calls.append(f"    at = put(at, &its{k}_boxes);")
        size += 4 + BOX.size * case.head.most
    parts.append(
        f"""
static uint8_t arena[{size}] __attribute__((aligned(16)));

static uint8_t *put(uint8_t *at, const te_boxes *b) {{
    const uint32_t count = b->find();
    memcpy(at, &count, 4);
    memcpy(at + 4, b->found, count * sizeof(te_box));
    return at + 4 + count * sizeof(te_box);
}}

static void run(void) {{
    uint8_t *at = arena;
{chr(10).join(calls)}
    memset(at, 0, (size_t)(arena + sizeof arena - at));
}}

static const te_port ports[] = {{{{"y", arena, sizeof arena, 1.0f, 0, 1, TE_UINT8, {{0}}}}}};
const te_model network = {{.name = "boxes", .arena = arena, .arena_bytes = sizeof arena, .n_outputs = 1,
                          .outputs = ports, .run = run}};
"""
    )
    graph = Graph("boxes")
    graph.tensors["y"] = Tensor("y", (size,), "uint8")
    graph.outputs.append(Port("y", "y", "uint8"))
    header = '#include "tinyengine/te_model.h"\nextern const te_model network;\n'
    return Generated(graph, "network", {"network.h": header, "network.c": "\n".join(parts)}, 0, False, None)


def check_found(cases: Sequence[BoxCase], output: np.ndarray) -> int:
    """AssertionError where a network of :func:`box_network` found other boxes than the host; how many there are."""
    data, at, total = output.tobytes(), 0, 0
    for number, case in enumerate(cases):
        count = int.from_bytes(data[at : at + 4], "little")
        at += 4 + count * BOX.size
        found = [box_of(*each) for each in BOX.iter_unpack(data[at - count * BOX.size : at])]
        assert found == case.expected, f"case {number}: {case.head}"
        total += count
    return total
