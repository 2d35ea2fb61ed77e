"""Branch and bound: the smallest arena of a small placement problem, with proof.

A node of the search tree knows for every buffer a lowest and a highest address. Every gap (problem.py) is an "or" of
up to three difference constraints; a gap of which only one alternative still fits between these addresses is decided
and tightens them (propagation). If all buffers at their lowest addresses violate no gap, that is the best placement
under this node; otherwise the search branches over the alternatives of a violated gap. Since the lowest addresses
only grow from node to node, a node whose addresses do not fit below the best known total is dead.
This is the disjunctive-graph method of job-shop scheduling with addresses in place of times.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import lcm

from tinyengine.memory.problem import Problem, round_down
from tinyengine.sizes import round_up


class Choice(Enum):
    """An alternative of the gap between i and j with i < j."""

    ABOVE = 0  # i above j
    BELOW = 1  # i below j
    SAME = 2


Pair = tuple[int, int]


@dataclass(frozen=True)
class ExactResult:
    """``addresses`` None: nothing below the given total was found. ``proven``: and nothing better exists."""

    addresses: list[int] | None
    proven: bool
    nodes: int


@dataclass
class _Node:
    lowest: list[int]
    highest: list[int]
    decided: dict[Pair, Choice]
    dirty: set[int]  # buffers whose addresses changed and whose gaps must be looked at

    def child(self, pair: Pair, choice: Choice) -> _Node:
        return _Node(self.lowest[:], self.highest[:], {**self.decided, pair: choice}, set(pair))


def minimize(problem: Problem, below: int, at_least: int, node_limit: int) -> ExactResult:
    """The smallest total less than ``below``.

    Content with a total of ``at_least`` (a lower bound); gives up after ``node_limit`` nodes.
    """
    count = len(problem)
    best: list[int] | None = None
    nodes = 0
    stack = [_Node([0] * count, [below] * count, {}, set(range(count)))]
    while stack and below > at_least:
        if nodes == node_limit:
            return ExactResult(best, False, nodes)
        node = stack.pop()
        nodes += 1
        _limit(problem, node, below - 1)
        if not _propagate(problem, node):
            continue
        pair = _most_violated(problem, node.lowest)
        if pair is None:
            best, below = node.lowest, problem.total(node.lowest)
        else:  # the alternative that moves the least is tried first
            choices = sorted(_choices(problem, node, pair), key=lambda c: _move(problem, node, pair, c), reverse=True)
            stack.extend(node.child(pair, choice) for choice in choices)
    return ExactResult(best, True, nodes)


def _limit(problem: Problem, node: _Node, total: int) -> None:
    """No buffer may end above ``total``."""
    for i, size in enumerate(problem.sizes):
        if node.highest[i] > total - size:
            node.highest[i] = round_down(total - size, problem.aligns[i])
            node.dirty.add(i)


def _propagate(problem: Problem, node: _Node) -> bool:
    """Tighten until nothing changes; False if some gap cannot be kept."""
    if any(node.lowest[i] > node.highest[i] for i in node.dirty):
        return False
    while node.dirty:
        k = node.dirty.pop()
        for other in problem.gaps[k]:
            pair = (min(k, other), max(k, other))
            choice = node.decided.get(pair)
            if choice is None:
                choices = _choices(problem, node, pair)
                if len(choices) != 1:
                    if not choices:
                        return False
                    continue
                choice = node.decided[pair] = choices[0]
            if not _enforce(problem, node, pair, choice):
                return False
    return True


def _choices(problem: Problem, node: _Node, pair: Pair) -> list[Choice]:
    """The alternatives that still fit between the lowest and the highest addresses."""
    i, j = pair
    above, below, same = problem.gaps[i][j]
    choices = []
    if same and _common(problem, node, pair) <= min(node.highest[i], node.highest[j]):
        choices.append(Choice.SAME)
    if node.lowest[j] + above <= node.highest[i]:
        choices.append(Choice.ABOVE)
    if node.lowest[i] + below <= node.highest[j]:
        choices.append(Choice.BELOW)
    return choices


def _move(problem: Problem, node: _Node, pair: Pair, choice: Choice) -> int:
    """How far up ``choice`` pushes buffers from their lowest addresses."""
    (i, j), low = pair, node.lowest
    gap = problem.gaps[i][j]
    if choice is Choice.ABOVE:
        return max(0, low[j] + gap.above - low[i])
    if choice is Choice.BELOW:
        return max(0, low[i] + gap.below - low[j])
    return 2 * _common(problem, node, pair) - low[i] - low[j]


def _common(problem: Problem, node: _Node, pair: Pair) -> int:
    """The lowest address that both could have."""
    i, j = pair
    return round_up(max(node.lowest[i], node.lowest[j]), lcm(problem.aligns[i], problem.aligns[j]))


def _enforce(problem: Problem, node: _Node, pair: Pair, choice: Choice) -> bool:
    i, j = pair
    gap = problem.gaps[i][j]
    if choice is Choice.SAME:
        low, high = _common(problem, node, pair), min(node.highest[i], node.highest[j])
        return all(_raise(problem, node, k, low) and _lower(problem, node, k, high) for k in pair)
    lower, upper, distance = (j, i, gap.above) if choice is Choice.ABOVE else (i, j, gap.below)
    return _raise(problem, node, upper, node.lowest[lower] + distance) and _lower(
        problem, node, lower, node.highest[upper] - distance
    )


def _raise(problem: Problem, node: _Node, i: int, address: int) -> bool:
    if address > node.lowest[i]:
        node.lowest[i] = round_up(address, problem.aligns[i])
        node.dirty.add(i)
    return node.lowest[i] <= node.highest[i]


def _lower(problem: Problem, node: _Node, i: int, address: int) -> bool:
    if address < node.highest[i]:
        node.highest[i] = round_down(address, problem.aligns[i])
        node.dirty.add(i)
    return node.lowest[i] <= node.highest[i]


def _most_violated(problem: Problem, addresses: list[int]) -> Pair | None:
    """The pair too close together whose smaller buffer is the largest: large buffers decide the arena."""
    worst: Pair | None = None
    weight = (-1, -1)
    for i, gaps in enumerate(problem.gaps):
        x, size = addresses[i], problem.sizes[i]
        for j, (above, below, same) in gaps.items():
            y = addresses[j]
            if i < j and x < y + above and y < x + below and not (same and x == y):
                sizes = (size, problem.sizes[j])
                if (min(sizes), max(sizes)) > weight:
                    worst, weight = (i, j), (min(sizes), max(sizes))
    return worst
