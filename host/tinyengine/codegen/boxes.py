"""The part of a detector's generated code that makes boxes of its outputs: te_boxes."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from tinyengine.codegen.storage import Storage
from tinyengine.codegen.values import array_definition, scalar
from tinyengine.data.box_plan import BoxPlan


def boxes_definition(plan: BoxPlan, own: Storage, outputs: list[str]) -> str:
    """Tables, room for the candidates, and ``boxes``, which points to them; ``outputs``: where these lie."""
    weights = own.macro("WEIGHTS")
    text = f"#ifndef {weights}\n#define {weights}\n#endif\n\n"
    numbers = [f"    .anchors = {len(plan.anchors)}u,\n"]
    for member in fields(plan):
        value, name = getattr(plan, member.name), "anchor" if member.name == "anchors" else member.name
        if not isinstance(value, np.ndarray):
            numbers.append(f"    .{name} = {scalar(value)},\n")
        elif value.size:
            text += "static " + array_definition(f"box_{name}", value, weights) + "\n"
            numbers.append(f"    .{name} = box_{name},\n")
    text += f"static const te_box_head box_head = {{\n{''.join(numbers)}}};\n\n"
    text += own.kept(f"te_box {own.boxes}[{plan.capacity}]")
    cells = "NULL"
    if plan.cells:
        cells = f"{own.boxes}_cells"
        text += own.kept(f"uint16_t {cells}[{plan.cells}]")
    places = ", ".join(outputs)
    return f"""{text}
static uint32_t find_boxes(void) {{
    const void *const from[] = {{{places}}};
    return te_boxes_find(&box_head, from, {own.boxes}, {cells});
}}

static const te_boxes boxes = {{find_boxes, {own.boxes}}};
"""
