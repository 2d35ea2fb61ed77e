#!/usr/bin/env python3
"""Draw docs/rooms.svg: the rooms of host/tinyengine and what they import, from the code as it is.

scripts/draw_rooms.py [docs/rooms.svg]

A room lies below all rooms that import it. An arrow that follows from others is left out (cli imports ir too), and so
are the arrows to the ground, which everybody may import.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tinyengine.drawing.scene import Anchor, Line, Rect, Scene, Text
from tinyengine.drawing.svg import svg

from scripts import rooms

PICTURE = rooms.ROOT / "docs" / "rooms.svg"
WIDTH, MARGIN = 860, 30
BOX_WIDTH, BOX_HEIGHT, GAP, ROW = 104, 30, 26, 64
PASS_WIDTH = 8  # of an arrow on its way through a row
SWEEPS = 24
COMPILER, OTHERS, GROUND, INK, ARROW = "#c6dbef", "#eeeeee", "#fdf2d0", "#222222", "#555555"
Arrows = Mapping[str, Set[str]]


@dataclass(eq=False)
class Node:
    """A room, or an arrow where it passes through a row (``room`` is None). ``x``: of its middle."""

    room: str | None
    x: float
    above: list[Node]
    below: list[Node]

    @property
    def width(self) -> float:
        return BOX_WIDTH if self.room else PASS_WIDTH


def without_ground(arrows: Arrows) -> tuple[dict[str, set[str]], list[str]]:
    """The arrows between other rooms, and the ground."""
    may = rooms.allowed(rooms.TABLE)
    ground = [room for room, others in may.items() if all(room in o | {r} for r, o in may.items())]
    return {room: set(others).difference(ground) for room, others in arrows.items() if room not in ground}, ground


def reduced(arrows: Arrows) -> dict[str, set[str]]:
    """Without the arrows that follow from others."""
    beyond = {room: rooms.reached(room, arrows) for room in arrows}
    return {room: {o for o in others if not any(o in beyond[b] for b in others)} for room, others in arrows.items()}


def rows_of(arrows: Arrows) -> dict[str, int]:
    """The row of each room, 0 at the top: directly below the lowest of those that import it. ValueError for circles."""
    if rooms.circles(arrows):
        raise ValueError(f"rooms import each other in a circle: {rooms.circles(arrows)}")
    row = dict.fromkeys(sorted(arrows), 0)
    for _ in row:
        for room in row:
            for other in arrows[room]:
                row[other] = max(row[other], row[room] + 1)
    return row


def layout(arrows: Arrows, row: Mapping[str, int]) -> list[list[Node]]:
    """Nodes of each row from left to right, so that arrows are short and rarely cross."""
    nodes = {room: Node(room, 0.0, [], []) for room in sorted(row)}
    lines: list[list[Node]] = [[] for _ in range(max(row.values()) + 1)]
    for room, node in nodes.items():
        lines[row[room]].append(node)
    for room in sorted(arrows):
        for other in sorted(arrows[room]):
            path = [nodes[room], *(Node(None, 0.0, [], []) for _ in range(row[room] + 1, row[other])), nodes[other]]
            for depth, (a, b) in enumerate(pairwise(path), row[room]):
                a.below.append(b)
                b.above.append(a)
                if b.room is None:
                    lines[depth + 1].append(b)
    for line in lines:
        _place(line, list(range(len(line))))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for line in lines if down else lines[::-1]:
            wanted = [mean([n.x for n in (node.above if down else node.below)] or [node.x]) for node in line]
            order = sorted(range(len(line)), key=lambda index: (wanted[index], index))
            line[:] = [line[index] for index in order]
            _place(line, [wanted[index] for index in order])
    for _ in range(SWEEPS):  # the order stays; straighten
        for line in lines:
            _place(line, [mean([n.x for n in (*node.above, *node.below)] or [node.x]) for node in line])
    return lines


def _place(line: list[Node], wanted: list[float]) -> None:
    """As near as possible to where each node wants to be, without overlaps: neighbours that touch share the way."""
    groups: list[tuple[list[Node], list[float]]] = []  # nodes, and where their first one would have to lie
    for node, x in zip(line, wanted, strict=True):
        groups.append(([node], [x]))
        while len(groups) > 1 and mean(groups[-2][1]) + _span(groups[-2][0], groups[-1][0][0]) > mean(groups[-1][1]):
            nodes, starts = groups.pop()
            shift = _span(groups[-1][0], nodes[0])
            groups[-1][1].extend(start - shift for start in starts)
            groups[-1][0].extend(nodes)
    for nodes, starts in groups:
        for index, node in enumerate(nodes):
            node.x = mean(starts) + (_span(nodes[:index], node) if index else 0.0)


def _span(nodes: list[Node], following: Node) -> float:
    """From the first of ``nodes`` to the one that follows them."""
    return sum((a.width + b.width) / 2 + GAP for a, b in pairwise([*nodes, following]))


def scene(arrows: Arrows) -> Scene:
    """The picture of the package's arrows."""
    between, ground = without_ground(arrows)
    row = rows_of(between)
    lines = layout(reduced(between), row)
    nodes = [node for line in lines for node in line]
    left = min(node.x - node.width / 2 for node in nodes)
    scale = min(1.0, (WIDTH - 2 * MARGIN) / (max(node.x + node.width / 2 for node in nodes) - left))
    offset = (WIDTH - scale * (max(node.x + node.width / 2 for node in nodes) - left)) / 2
    for node in nodes:
        node.x = offset + scale * (node.x - left)
    whole = Scene(WIDTH, ROW * len(lines) + BOX_HEIGHT + 2 * MARGIN, "Rooms of host/tinyengine and what they import")
    own = rooms.reached("compiler", between) | {"compiler"}
    for depth, line in enumerate(lines):
        for node in line:
            for other in node.below:
                _arrow(whole, node, other, depth)
            top = MARGIN + ROW * depth
            if node.room:
                fill = COMPILER if node.room in own else OTHERS
                whole.add(Rect(node.x - BOX_WIDTH / 2, top, BOX_WIDTH, BOX_HEIGHT, fill, stroke=INK))
                whole.add(Text(node.x, top + 20, node.room, 14, Anchor.MIDDLE, INK))
    top = MARGIN + ROW * len(lines)
    whole.add(Rect(MARGIN, top, WIDTH - 2 * MARGIN, BOX_HEIGHT, GROUND, stroke=INK))
    whole.add(Text(WIDTH / 2, top + 20, "everybody may import: " + ", ".join(sorted(ground)), 14, Anchor.MIDDLE, INK))
    return whole


def _arrow(whole: Scene, node: Node, other: Node, depth: int) -> None:
    """From the bottom of ``node`` to the top of ``other``, one row further down; arrows side by side begin apart."""
    ends = []
    for end, neighbours, at in ((node, node.below, other), (other, other.above, node)):
        order = sorted(neighbours, key=lambda n: n.x).index(at)
        ends.append(end.x + (order - (len(neighbours) - 1) / 2) * min(16.0, 0.8 * BOX_WIDTH / len(neighbours)))
    top = MARGIN + ROW * depth
    bottom = top + ROW
    if node.room is None:
        whole.add(Line(ends[0], top, ends[0], top + BOX_HEIGHT, ARROW))
    whole.add(Line(ends[0], top + BOX_HEIGHT, ends[1], bottom, ARROW))
    if other.room:
        dx, dy = ends[0] - ends[1], float(BOX_HEIGHT - ROW)
        length = (dx * dx + dy * dy) ** 0.5
        for side in (-0.4, 0.4):
            tip = (7 * (dx - side * dy) / length, 7 * (dy + side * dx) / length)
            whole.add(Line(ends[1], bottom, ends[1] + tip[0], bottom + tip[1], ARROW))


def draw() -> str:
    """The picture as SVG."""
    return svg(scene(rooms.arrows(rooms.PACKAGE)))


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else PICTURE).write_text(draw(), encoding="utf-8")
