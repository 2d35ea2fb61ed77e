"""Lifetimes, whole plans and the replay oracle, on networks made of hand-written kernel calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.errors import ModelError
from tinyengine.ir import Graph, Operator, OpKind, Port, State, Tensor
from tinyengine.ir.ops import NoAttrs
from tinyengine.kernels.base import Access, KernelCall, Overlap
from tinyengine.memory import (
    Buffer,
    OverlapRule,
    Placement,
    PlacementError,
    lifetimes,
    lower_bound,
    place,
    plan,
    replay,
    scratch_name,
)
from tinyengine.memory.lifetime import buffer_homes
from tinyengine.memory.states import Copy

IN_PLACE = Overlap(exact=True)


@dataclass
class Network:
    """Builds a graph and its kernel calls side by side. Shapes are (rows, columns, channels)."""

    graph: Graph = field(default_factory=lambda: Graph("test"))
    calls: list[KernelCall] = field(default_factory=list)

    def input(self, name: str, *shape: int) -> str:
        self.graph.tensors[name] = Tensor(name, (1, *shape))
        self.graph.inputs.append(Port(name, name, "int8"))
        return name

    def output(self, *names: str) -> None:
        self.graph.outputs += [Port(name, name, "int8") for name in names]

    def state(self, name: str, *shape: int) -> str:
        """A state that stays as it is, until :meth:`keep` says what it becomes."""
        self.graph.tensors[name] = Tensor(name, (1, *shape))
        self.graph.states.append(State(name, name, np.zeros((1, *shape), np.int8)))
        return name

    def keep(self, state: str, update: str) -> None:
        self.graph.states = [replace(s, update=update) if s.tensor == state else s for s in self.graph.states]

    def call(self, name: str, inputs: list[str], shape: tuple[int, ...], *more: tuple[int, ...], **fields) -> str:
        """Append a call that writes the new tensor ``name``, and per further shape name', name'' ..."""
        outputs = [name + "'" * index for index in range(1 + len(more))]
        for output, size in zip(outputs, (shape, *more), strict=True):
            self.graph.tensors.setdefault(output, Tensor(output, (1, *size)))
        op = Operator(OpKind.ADD, name, inputs, outputs, NoAttrs())
        self.graph.operators.append(op)
        arguments = {"function": "te_test", "header": "test.h", "params_type": "te_test_params", **fields}
        self.calls.append(KernelCall(op, inputs=inputs, outputs=outputs, **arguments))
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        return self.graph.tensor(name).shape[1:]

    def view(self, name: str, x: str, *shape: int) -> str:
        return self.call(name, [x], shape, params_type=None)

    def pointwise(self, name: str, x: str, channels: int, scratch: int = 0) -> str:
        """1x1 convolution, pixel by pixel in ascending order."""
        height, width, depth = self.shape(x)
        pixel = np.arange(height * width)
        access = Access(((depth * pixel, depth * (pixel + 1)),), ((channels * pixel, channels * (pixel + 1)),))
        overlap = Overlap(access.distance(0))
        shape = (height, width, channels)
        return self.call(name, [x], shape, overlaps=(overlap,), access=access, scratch_bytes=scratch)

    def split(self, name: str, x: str, first: int, second: int) -> str:
        """Pixel by pixel to two outputs, ``first`` and ``second`` channels of them."""
        height, width, depth = self.shape(x)
        pixel = np.arange(height * width)
        write = [(channels * pixel, channels * (pixel + 1)) for channels in (first, second)]
        access = Access(((depth * pixel, depth * (pixel + 1)),), tuple(write))
        rules = tuple(Overlap(access.distance(0, output)) for output in (0, 1))
        shapes = [(height, width, channels) for channels in (first, second)]
        return self.call(name, [x], *shapes, overlaps=rules, access=access)

    def rows(self, name: str, x: str, kernel: int, channels: int) -> str:
        """kernel x kernel convolution with SAME padding, row by row."""
        height, width, depth = self.shape(x)
        row, pitch = np.arange(height), width * depth
        first, last = np.maximum(row - kernel // 2, 0), np.minimum(row + kernel // 2 + 1, height)
        access = Access(((first * pitch, last * pitch),), ((width * channels * row, width * channels * (row + 1)),))
        overlap = Overlap(access.distance(0))
        return self.call(name, [x], (height, width, channels), overlaps=(overlap,), access=access)

    def depthwise(self, name: str, x: str, scratch: int = 0) -> str:
        """Channel by channel through scratch memory, in place."""
        return self.call(name, [x], self.shape(x), overlaps=(IN_PLACE,), scratch_bytes=scratch)

    def dense(self, name: str, x: str, *shape: int, scratch: int = 0) -> str:
        """A kernel that tolerates no overlap."""
        return self.call(name, [x], shape, overlaps=(None,), scratch_bytes=scratch)

    def add(self, name: str, a: str, b: str) -> str:
        return self.call(name, [a, b], self.shape(a), overlaps=(IN_PLACE, IN_PLACE))

    def lives(self) -> dict[str, tuple[int, int]]:
        return {buffer.name: (buffer.first, buffer.last) for buffer in lifetimes(self.calls, self.graph).buffers}

    def rules(self) -> set[OverlapRule]:
        return set(lifetimes(self.calls, self.graph).rules)


# ---- lifetimes ----


def test_inputs_live_from_before_the_run_and_outputs_until_after_it():
    net = Network()
    x = net.input("x", 4, 4, 2)
    net.input("unused", 1, 1, 8)
    a = net.dense("a", x, 4, 4, 2, scratch=10)
    b = net.dense("b", a, 4, 4, 2)
    net.dense("nobody reads this", b, 4, 4, 2)
    net.output(a)
    assert net.lives() == {
        "x": (-1, 0),
        "unused": (-1, -1),
        "a": (0, 3),
        "b": (1, 2),
        "nobody reads this": (2, 2),
        "a/scratch@0": (0, 0),
    }


def test_scratch_lives_in_one_step_with_its_own_alignment():
    net = Network()
    net.dense("a", net.input("x", 4, 4, 2), 4, 4, 2, scratch=10)
    net.output("a")
    scratch = [buffer for buffer in lifetimes(net.calls, net.graph).buffers if buffer.kind == "scratch"]
    assert scratch == [Buffer(scratch_name(0, net.calls[0]), 10, 8, 0, 0, "scratch")]


def test_a_chain_of_views_is_one_buffer():
    net = Network()
    x = net.input("x", 4, 4, 2)
    a = net.dense("a", x, 4, 4, 2)
    v = net.view("v", a, 32)
    w = net.view("w", v, 2, 16)
    b = net.depthwise("b", w)
    c = net.add("c", b, a)  # a is read here once more, so b must not have overwritten its view w
    net.output(c)
    assert net.lives() == {"x": (-1, 0), "a": (0, 4), "b": (3, 4), "c": (4, 5)}
    assert net.rules() == {OverlapRule("a", "c", 0, True), OverlapRule("b", "c", 0, True)}
    result = plan(net.graph, net.calls)
    assert result.addresses["a"] == result.addresses["v"] == result.addresses["w"] != result.addresses["b"]


def test_a_view_of_an_input_that_is_an_output():
    net = Network()
    v = net.view("v", net.input("x", 2, 2, 4), 16)
    net.depthwise("a", v)
    net.output(v, "a")
    assert net.lives() == {"x": (-1, 2), "a": (1, 2)}
    assert net.rules() == set()
    assert plan(net.graph, net.calls).arena_bytes == 32


def test_an_input_that_is_an_output_is_not_overwritten():
    net = Network()
    x = net.input("x", 2, 2, 4)
    net.depthwise("a", x)
    net.output(x, "a")
    assert net.rules() == set()
    assert plan(net.graph, net.calls).arena_bytes == 32


def test_only_views_needs_the_input_alone():
    net = Network()
    net.output(net.view("v", net.input("x", 2, 2, 4), 16))
    result = plan(net.graph, net.calls)
    assert (result.arena_bytes, result.activation_peak_bytes) == (16, 16)
    assert result.addresses == {"x": 0, "v": 0}


def test_the_same_tensor_twice_takes_the_stricter_rule():
    net = Network()
    x = net.input("x", 2, 2, 4)
    a = net.add("a", x, x)
    net.call("b", [a, a], (2, 2, 4), overlaps=(IN_PLACE, None))
    net.output("b")
    assert net.rules() == {OverlapRule("x", "a", 0, True)}

    access = net.calls[0].access or Access((), ((np.array([0]), np.array([16])),))
    for overlaps, expected in {
        (Overlap(4), Overlap(-8)): Overlap(4),
        (Overlap(-8), IN_PLACE): IN_PLACE,
        (Overlap(4), IN_PLACE): None,
    }.items():
        net.calls[0] = replace(net.calls[0], overlaps=overlaps, access=access)
        rule = None if expected is None else OverlapRule("x", "a", expected.distance, expected.exact)
        assert net.rules() == ({rule} if rule else set())


def test_a_distance_without_byte_ranges_counts_as_equal_addresses_only():
    net = Network()
    x = net.input("x", 2, 2, 4)
    a = net.call("a", [x], (2, 2, 4), overlaps=(Overlap(-3),))
    net.call("b", [a], (2, 2, 4), overlaps=(Overlap(5),))
    net.output("b")
    assert net.rules() == {OverlapRule("x", "a", 0, True)}


def test_a_tensor_that_two_calls_fill_lives_from_the_first_and_overlaps_nothing_later():
    net = Network()
    x = net.input("x", 2, 2, 4)
    y = net.input("y", 2, 2, 4)

    def half(low: int) -> Access:
        return Access(((np.array([0]), np.array([16])),), ((np.array([low]), np.array([low + 16])),))

    net.call("both", [x], (4, 2, 4), overlaps=(Overlap(),), access=half(0))
    net.call("both", [y], (4, 2, 4), overlaps=(Overlap(),), access=half(16))
    net.output("both")
    assert net.lives() == {"x": (-1, 0), "y": (-1, 1), "both": (0, 2)}
    assert net.rules() == {OverlapRule("x", "both", 0)}
    result = plan(net.graph, net.calls)
    assert result.arena_bytes == 48  # y beside "both", x under it


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda net: net.calls.reverse(), "before any step has written it"),
        (lambda net: net.output("v", "ghost"), "output ghost is written by no step"),
        (lambda net: net.graph.tensors.update(v=Tensor("v", (1, 3))), "another size"),
    ],
)
def test_contradictions_are_named(break_it, message):
    net = Network()
    net.view("v", net.dense("a", net.input("x", 1, 1, 4), 1, 1, 4), 4)
    net.graph.tensors["ghost"] = Tensor("ghost", (1, 4))
    break_it(net)
    with pytest.raises(PlacementError, match=message):
        plan(net.graph, net.calls)


# ---- plans with known figures ----


def residual_block(net: Network, name: str, x: str, growth: int) -> str:
    """MobileNetV2's inverted residual block: expand, depthwise in place, project, add in place."""
    channels = net.shape(x)[-1]
    e = net.pointwise(f"{name}/expand", x, channels * growth)
    d = net.depthwise(f"{name}/depthwise", e)
    p = net.pointwise(f"{name}/project", d, channels)
    return net.add(f"{name}/add", x, p)


def test_inverted_residual_blocks_need_their_input_and_their_expansion():
    net = Network()
    x = net.input("x", 20, 20, 16)
    for index in range(3):
        x = residual_block(net, f"block{index}", x, 6)
    net.output(x)
    result = plan(net.graph, net.calls)
    # x 20*20*16 and its expansion 20*20*96; the projection shrinks over the expansion, the sum over either of its terms
    assert result.arena_bytes == result.activation_peak_bytes == result.lower_bound == 6400 + 38400
    assert result.optimal
    assert "43.8 KB of 43.8 KB" in result.bottleneck
    assert "37.5 KB output of block0/expand (20x20x96), 6.2 KB input x (20x20x16)" in result.bottleneck


def test_without_rules_the_same_block_needs_both_expansions():
    net = Network()
    x = residual_block(net, "block", net.input("x", 20, 20, 16), 6)
    net.output(x)
    for call in net.calls:
        call.overlaps, call.access = (None,) * len(call.inputs), None
    assert plan(net.graph, net.calls).arena_bytes == 6400 + 38400 + 38400


def test_a_growing_pointwise_convolution_swallows_its_input():
    net = Network()
    net.output(net.pointwise("grown", net.input("x", 10, 10, 8), 24))
    # the output starts 99 * 16 bytes before the input: both end within the output's 2400 bytes
    assert net.rules() == {OverlapRule("x", "grown", 99 * 16)}
    result = plan(net.graph, net.calls)
    assert result.arena_bytes == 2400
    assert result.addresses["x"] >= result.addresses["grown"] + 99 * 16


def test_the_example_of_docs_memory():
    net = Network()
    net.output(net.pointwise("y", net.input("x", 1, 4, 2), 3))
    assert net.rules() == {OverlapRule("x", "y", 3)}
    result = plan(net.graph, net.calls)
    assert (result.arena_bytes, result.addresses) == (12, {"x": 4, "y": 0})


def test_a_row_convolution_trails_its_input_by_its_reach():
    net = Network()
    net.output(net.rows("y", net.input("x", 16, 16, 4), 3, 4))
    # rows 0 .. t are written when row t is still to be read for output row t + 1: one row of 64 bytes
    assert net.rules() == {OverlapRule("x", "y", 64)}
    assert plan(net.graph, net.calls).arena_bytes == 16 * 64 + 64


def test_a_chain_of_row_convolutions_drifts_through_the_arena():
    net = Network()
    x = net.input("x", 16, 16, 4)
    for index in range(6):
        x = net.rows(f"y{index}", x, 5, 4)
    net.output(x)
    alive = lifetimes(net.calls, net.graph)
    assert lower_bound(alive.buffers, alive.rules) == 16 * 64 + 2 * 64  # what any single step needs
    result = plan(net.graph, net.calls)
    # every output lies two rows lower than its input, and there is no room to start over above: proven, not guessed
    assert result.arena_bytes == result.lower_bound == 16 * 64 + 6 * 2 * 64
    assert result.method == "branch and bound"


def test_scratch_counts_for_the_arena_but_not_for_activations():
    net = Network()
    x = net.input("x", 8, 8, 4)
    net.output(net.depthwise("y", x, scratch=100))
    result = plan(net.graph, net.calls)
    assert result.activation_peak_bytes == 256
    assert result.arena_bytes == 356
    assert result.scratch == (256,) or result.scratch == (0,)
    assert [usage.bytes_used for usage in result.usage] == [356]
    assert "100 bytes scratch" in result.bottleneck
    assert "256 bytes shared in place" in result.bottleneck


def test_room_that_only_scratch_needs_is_not_wasted_on_activations():
    net = Network()
    a = net.dense("a", net.input("x", 8, 8, 1), 8, 8, 8, scratch=4000)
    net.output(net.depthwise("b", a))
    result = plan(net.graph, net.calls)
    assert result.arena_bytes == 64 + 512 + 4000
    assert result.activation_peak_bytes == 64 + 512  # b in place, although there is room beside a


def test_a_long_shortcut_is_counted_while_it_waits():
    net = Network()
    x = net.input("x", 8, 8, 8)
    a = net.dense("a", x, 8, 8, 8)
    b = net.dense("b", a, 8, 8, 32)
    c = net.dense("c", b, 8, 8, 8)
    net.output(net.add("sum", a, c))
    result = plan(net.graph, net.calls)
    assert [usage.activation_bytes for usage in result.usage[:3]] == [1024, 512 + 2048, 512 + 2048 + 512]
    assert result.arena_bytes == result.activation_peak_bytes == 3072


def test_the_peak_may_lie_before_the_run():
    net = Network()
    x, y = net.input("x", 8, 8, 8), net.input("y", 8, 8, 8)
    net.input("z", 8, 8, 8)
    net.output(net.add("sum", x, y))
    result = plan(net.graph, net.calls)
    assert result.activation_peak_bytes == 3 * 512
    assert "before the run" in result.bottleneck


# ---- several outputs ----


def test_each_output_has_a_rule_of_its_own():
    net = Network()
    net.output(net.split("y", net.input("x", 1, 4, 4), 1, 3), "y'")
    # x moves on by 4 bytes per pixel, the outputs by 1 and 3: each may begin where x does, but they must not meet
    assert net.rules() == {OverlapRule("x", "y", -3), OverlapRule("x", "y'", -1)}
    result = plan(net.graph, net.calls)
    assert result.arena_bytes == 20  # of 16 + 4 + 12: one of them over x
    assert len(result.addresses) == 3


def test_an_output_that_nobody_reads_has_its_place_while_it_is_written():
    net = Network()
    net.output(net.split("y", net.input("x", 1, 4, 4), 4, 4))
    assert net.lives() == {"x": (-1, 0), "y": (0, 1), "y'": (0, 0)}
    assert plan(net.graph, net.calls).arena_bytes == 32


def test_replay_finds_outputs_of_one_call_that_meet():
    net = Network()
    net.output(net.call("y", [net.input("x", 1, 1, 8)], (1, 1, 8), (1, 1, 8)), "y'")
    replay(net.calls, net.graph, moved_to({"x": 0, "y": 8, "y'": 16}, 24))
    with pytest.raises(PlacementError, match=r"needs byte 4 of y at address 12 and finds byte 0 of y'"):
        replay(net.calls, net.graph, moved_to({"x": 0, "y": 8, "y'": 12}, 24))
    with pytest.raises(PlacementError, match="writes y' over its input x, which it must not"):
        replay(net.calls, net.graph, moved_to({"x": 0, "y": 8, "y'": 4}, 24))


def test_a_call_without_outputs_is_planned():
    net = Network()
    x = net.input("x", 1, 1, 8)
    net.output(net.depthwise("y", x))
    net.calls.append(replace(net.calls[0], inputs=["y"], outputs=[], overlaps=()))
    assert plan(net.graph, net.calls).arena_bytes == 8


# ---- states ----


def kept(net: Network) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Offsets in the states' region, and the copies at the end of a run."""
    result = plan(net.graph, net.calls)
    assert not result.addresses.keys() & result.states.keys()
    return dict(result.states), [(copy.source, copy.target) for copy in result.region.copies]


def test_an_update_in_place_lies_in_the_bytes_of_its_state():
    net = Network()
    x, s = net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)
    net.keep(s, net.add("sum", s, x))
    net.output("sum")
    assert kept(net) == ({"s": 0, "sum": 0}, [])
    assert plan(net.graph, net.calls).arena_bytes == 16  # x


def test_an_update_after_the_last_reader_of_its_state_needs_no_rule():
    net = Network()
    x, s = net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)
    net.output(net.add("y", s, x))
    net.keep(s, net.view("flat", net.dense("next", "y", 2, 2, 4), 16))
    assert kept(net) == ({"s": 0, "next": 0, "flat": 0}, [])


def test_a_state_that_is_read_after_its_update_is_made_is_copied():
    net = Network()
    x, s = net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)
    net.keep(s, net.depthwise("next", x))
    net.output(net.add("y", s, x))
    assert kept(net) == ({"s": 0}, [("next", "s")])


def test_a_kernel_that_tolerates_no_overlap_does_not_write_over_the_state():
    net = Network()
    s = net.state("s", 2, 2, 4)
    net.input("x", 2, 2, 4)
    net.keep(s, net.dense("next", s, 2, 2, 4))
    net.output("next")
    assert kept(net) == ({"s": 0}, [("next", "s")])


def test_a_state_that_delays_the_input_takes_it_at_the_end():
    net = Network()
    x, s = net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)
    net.keep(s, x)
    net.output(net.add("y", s, x))
    assert kept(net) == ({"s": 0}, [("x", "s")])
    assert net.lives()["x"] == (-1, 1)


def test_a_line_of_states_moves_up_from_its_end():
    net = Network()
    x, a, b = net.input("x", 2, 2, 4), net.state("a", 2, 2, 4), net.state("b", 2, 2, 4)
    net.keep(a, x)
    net.keep(b, a)
    net.output(net.add("y", b, x))
    assert kept(net) == ({"a": 0, "b": 16}, [("a", "b"), ("x", "a")])


def test_states_that_exchange_their_values_take_a_detour_through_the_arena():
    net = Network()
    states = [net.state(name, 2, 2, 4) for name in "abc"]
    net.output(net.add("y", net.input("x", 2, 2, 4), "a"))
    for state, update in zip(states, states[1:] + states[:1], strict=True):
        net.keep(state, update)
    assert kept(net)[1] == [("a", "a/before"), ("b", "a"), ("c", "b"), ("a/before", "c")]
    assert plan(net.graph, net.calls).arena_bytes == 32


def test_a_state_that_nothing_changes_is_left_alone():
    net = Network()
    net.output(net.add("y", net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)))
    assert kept(net) == ({"s": 0}, [])


def test_an_output_that_is_a_state_is_refused():
    net = Network()
    x, s = net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)
    net.keep(s, x)
    net.output(net.view("v", s, 16))
    with pytest.raises(ModelError, match=r"output 'v' is its state 's'.* let an operator compute the output"):
        plan(net.graph, net.calls)


@pytest.mark.parametrize(
    ("copies", "message"),
    [
        ([], r"after the run\) needs byte 0 of x at .* finds byte 0 of a,"),  # never made
        ([Copy("x", "a", 16), Copy("a", "b", 16)], r"needs byte 0 of a at .* finds byte 0 of x,"),  # too early
        ([Copy("a", "b", 12), Copy("x", "a", 16)], r"needs byte 12 of a at .* finds byte 12 of b,"),  # not all of it
        ([Copy("x", "b", 16), Copy("x", "a", 16)], r"needs byte 0 of a at .* finds byte 0 of x,"),  # from elsewhere
    ],
)
def test_replay_finds_states_that_are_not_carried_over(copies, message):
    net = Network()
    x, a, b = net.input("x", 2, 2, 4), net.state("a", 2, 2, 4), net.state("b", 2, 2, 4)
    net.keep(a, x)
    net.keep(b, a)
    net.output(net.add("y", b, x))
    good = plan(net.graph, net.calls)
    with pytest.raises(PlacementError, match=message):
        replay(net.calls, net.graph, good.placement, replace(good.region, copies=tuple(copies)))


def test_replay_finds_a_state_that_is_overwritten_before_it_is_read():
    net = Network()
    x, s = net.input("x", 2, 2, 4), net.state("s", 2, 2, 4)
    net.keep(s, net.depthwise("next", x))
    net.output(net.add("y", s, x))
    good = plan(net.graph, net.calls)
    bad = replace(good.region, offsets={"s": 0, "next": 0}, copies=())
    with pytest.raises(PlacementError, match=r"step 1 \(y\) needs byte 0 of s at .* finds byte 0 of next"):
        replay(net.calls, net.graph, good.placement, bad)


# ---- random networks ----


def size(net: Network, name: str) -> int:
    return net.graph.tensor(name).nbytes


def root(net: Network, name: str) -> str:
    return buffer_homes(net.calls, net.graph)[name]


@st.composite
def networks(draw, everything_is_read: bool = False) -> Network:
    net = Network()
    names = [net.input(f"x{i}", 3, 3, draw(st.integers(1, 4))) for i in range(draw(st.integers(1, 2)))]
    names += [net.state(f"s{i}", 3, 3, draw(st.integers(1, 4))) for i in range(draw(st.integers(0, 2)))]
    kinds = ["pointwise", "rows", "depthwise", "dense", "add", "view", "double", "concat", "split"]
    for index in range(draw(st.integers(1, 9))):
        kind, name = draw(st.sampled_from(kinds)), f"t{index}"
        x = names[-1] if draw(st.booleans()) else draw(st.sampled_from(names))
        channels, scratch = draw(st.integers(1, 5)), draw(st.sampled_from([0, 0, 3, 8]))
        if kind == "pointwise":
            net.pointwise(name, x, channels, scratch)
        elif kind == "rows":
            net.rows(name, x, draw(st.sampled_from([3, 5])), channels)
        elif kind == "depthwise":
            net.depthwise(name, x, scratch)
        elif kind == "dense":
            net.dense(name, x, 3, 3, channels, scratch=scratch)
        elif kind == "view":
            net.view(name, x, *net.shape(x))
        elif kind == "double":
            net.add(name, x, x)
        elif kind == "split":
            net.split(name, x, channels, draw(st.integers(1, 5)))
            names.append(f"{name}'")
        else:
            y = draw(st.sampled_from(names))
            if kind == "add" and net.shape(x) == net.shape(y):
                net.add(name, x, y)
            else:
                depth = net.shape(x)[-1] + net.shape(y)[-1]
                net.call(name, [x, y], (3, 3, depth), overlaps=(None, None), scratch_bytes=scratch)
        names.append(name)
    for state in [state.tensor for state in net.graph.states]:
        net.keep(state, draw(st.sampled_from([n for n in names if net.graph.tensor(n).nbytes == size(net, state)])))
    names = [name for name in names if root(net, name) not in {state.tensor for state in net.graph.states}]
    unread = set(names) - {name for call in net.calls for name in call.inputs}
    chosen = draw(st.sets(st.sampled_from(names), max_size=2))
    net.output(*sorted(chosen | unread if everything_is_read else chosen | {names[-1]}))
    return net


@settings(max_examples=80, deadline=None)
@given(networks())
def test_random_networks_are_planned_right(net):
    result = plan(net.graph, net.calls)  # replays the plan
    assert result.lower_bound <= result.arena_bytes
    assert result.activation_peak_bytes <= result.arena_bytes
    alive = lifetimes(net.calls, net.graph)
    assert lower_bound(alive.buffers, alive.rules) <= result.lower_bound
    assert len(result.usage) == len(result.scratch) == len(net.calls)
    for usage in result.usage:
        touched = set()
        for resident in usage.residents:
            touched |= set(range(resident.address, resident.end))
        assert usage.bytes_used == len(touched)
    again = plan(net.graph, net.calls)
    assert (again.addresses, again.scratch) == (result.addresses, result.scratch)


def moved_to(addresses: dict[str, int], total: int) -> Placement:
    """A placement that somebody tampered with."""
    return Placement(addresses, total, 0, False, "moved")


def harmful(net: Network, addresses: dict[str, int]) -> bool:
    """Whether two buffers share bytes in a step in which both are alive, and no rule lets them."""
    alive = lifetimes(net.calls, net.graph)
    rules = {frozenset((rule.before, rule.after)): rule for rule in alive.rules}
    for a, b in combinations(alive.buffers, 2):
        if (
            a.meets(b)
            and addresses[a.name] < addresses[b.name] + b.size
            and addresses[b.name] < addresses[a.name] + a.size
        ):
            rule = rules.get(frozenset((a.name, b.name)))
            if rule is None or not rule.allows(addresses[rule.before], addresses[rule.after]):
                return True
    return False


@settings(max_examples=150, deadline=None)
@given(networks(everything_is_read=True), st.data())
def test_replay_finds_every_harmful_move(net, data):
    """Move one buffer anywhere (on its alignment): the replay accepts exactly what the definition accepts.

    Exactly: every buffer here is read after its last neighbour was written (nobody misses a byte that nobody reads).
    """
    alive = lifetimes(net.calls, net.graph)
    addresses = dict(place(alive.buffers, alive.rules).addresses)
    victim = data.draw(st.sampled_from(alive.buffers))
    addresses[victim.name] = data.draw(st.integers(0, 20)) * victim.align
    moved = moved_to(addresses, 1000)
    if harmful(net, addresses):
        with pytest.raises(PlacementError):
            replay(net.calls, net.graph, moved, alive.region)
    else:
        replay(net.calls, net.graph, moved, alive.region)


def test_replay_finds_a_byte_that_the_kernel_forgets_to_write():
    net = Network()
    every = (np.array([0]), np.array([16]))
    last_but_one = (np.array([0, 8]), np.array([7, 16]))
    net.call("y", [net.input("x", 1, 1, 16)], (1, 1, 16), access=Access((every,), (last_but_one,)), overlaps=(None,))
    net.output("y")
    with pytest.raises(PlacementError, match=r"step 0 \(y\) needs byte 7 of y .* nobody has written"):
        plan(net.graph, net.calls)


@settings(max_examples=40, deadline=None)
@given(networks(), st.data())
def test_replay_finds_a_shift_by_one_byte(net, data):
    alive = lifetimes(net.calls, net.graph)
    placement = place(alive.buffers, alive.rules)
    victim = data.draw(st.sampled_from(alive.buffers)).name
    moved = moved_to({**placement.addresses, victim: placement.addresses[victim] + 1}, placement.total + 1)
    with pytest.raises(PlacementError, match="is not aligned"):
        replay(net.calls, net.graph, moved, alive.region)
