"""The fast kernels against the oracle: natively (portable twins) and on both simulated cores (DSP), bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyengine.ir import OpKind
from tinyengine.ir.ops import Window
from tinyengine.ir.requant import Requant
from tinyengine.ir.sums import sum_range
from tinyengine.kernels.base import KernelCall, Target
from tinyengine.kernels.conv_fast import WIDE_QUAD, Field
from tinyengine.kernels.depthwise_fast import fits_fields, tap_order
from tinyengine.kernels.depthwise_map import MapKernel, map_kernels
from tinyengine.kernels.fixed import fixed_rounding
from tinyengine.kernels.select import lower
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import fast_cases, needs
from tests.helpers.batch import Batch, build_batch, run_native
from tests.helpers.cases import Draw, OpCase, int16_products
from tests.helpers.fast_cases import EXAMPLES

FAMILIES: dict[str, Callable[[Draw, int], list[OpCase]]] = {
    "conv": fast_cases.conv_cases,
    "depthwise": fast_cases.depthwise_cases,
    "dense": fast_cases.dense_cases,
    "add": fast_cases.add_cases,
    "repeated": fast_cases.repeated_cases,
    "column": fast_cases.column_cases,
    "direct": fast_cases.direct_cases,
    "quads": fast_cases.quad_cases,
    "int16": lambda draw, count: [int16_products(draw) for _ in range(count)],
}
COUNT = 40

CONV_VARIANTS = {
    *(f"te_conv_gather{kind}{doubled}" for doubled in ("", "_doubled") for kind in ("", "_pixels", "_rgb_by_2")),
    "te_conv_quads_exact",
    "te_conv_tiles_exact",
    "te_conv_tiles_exact_doubled",
    "te_conv_tiles_wide",
    "te_conv_narrow_exact",
    "te_conv_tiles_small_exact",
    "te_conv_tiles_small_wide",
}
FAST = Target(requant="fast")
FAST_VARIANTS = {
    "te_conv_quads_fast",
    "te_conv_quads_exact",  # layers with larger multipliers stay exact
    "te_conv_tiles_fast",
    "te_conv_tiles_wide",
    "te_conv_narrow_fast",
    "te_conv_tiles_small_fast",
    "te_dense_fast",
    "te_dense_fast_pairs",
    "te_dense_once_wide",
    *(f"te_depthwise_run_{k}{by_2}_fast" for k in (3, 5, 7) for by_2 in ("", "_by_2")),
    *(f"te_depthwise_quad{by_2}_{mode}" for mode in ("exact", "fast") for by_2 in ("", "_by_2")),
    *(kernel.name(fast=True) for kernel in map_kernels()),
}
DENSE_VARIANTS = {
    "te_dense_exact",
    "te_dense_once",
    "te_dense_once_wide",
    "te_dense_exact_pairs",
    "te_dense_once_pairs",
}
ADD_VARIANTS = {"te_add_scaled", "te_add_linear"}
DEPTHWISE_VARIANTS = {f"te_depthwise_run_{k}{by_2}" for k in (3, 5, 7) for by_2 in ("", "_by_2")}
DEPTHWISE_VARIANTS |= {f"te_depthwise_quad{by_2}_exact" for by_2 in ("", "_by_2")}
MAP_VARIANTS = {kernel.name(fast=False) for kernel in map_kernels()}


def cases_of(family: str, seed: int, count: int = COUNT) -> list[OpCase]:
    return FAMILIES[family](Draw(np.random.default_rng([seed, sorted(FAMILIES).index(family)])), count)


def variant_names(calls: list[KernelCall]) -> set[str]:
    """Inner kernels the calls use."""
    keys = ("tiles", "gather", "quads", "run", "map", "add")
    return {str(call.params[key]) for call in calls for key in keys if key in call.params}


@pytest.mark.slow(but=2)
@pytest.mark.parametrize("family", FAMILIES)
@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_portable_twins(family: str, seed: int) -> None:
    cases = cases_of(family, seed)
    batches = [build_batch(cases, placement, placement) for placement in ("apart", "tight")]
    for batch, outputs in zip(batches, run_native(batches), strict=True):
        batch.check(outputs)


@pytest.mark.parametrize("family", ["conv", "depthwise", "dense", "quads"])
@EXAMPLES
@given(seed=st.integers(0, 2**32 - 1))
def test_fast_requantization(family: str, seed: int) -> None:
    """The oracle's bytes in fast mode, which differ by at most 1 from the exact ones."""
    batch = build_batch(cases_of(family, seed), "fast", "tight", target=FAST)
    [outputs] = run_native([batch])
    batch.check(outputs)
    assert largest_difference(batch) <= 1


def largest_difference(batch: Batch) -> int:
    """Between the outputs of fast and exact requantization for the same inputs."""
    exact = replace(batch, target=Target()).expected()
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(batch.expected(), exact, strict=True))


def test_fast_requantization_at_its_ends() -> None:
    """Sums up to their limit, and multipliers from almost none to just below 0.5."""
    draw = Draw(np.random.default_rng(4))
    ranges = ((1 << 28, (1e-9, 1e-7)), (1 << 20, (1e-6, 1e-4)), (0, (0.001, 0.02)), (0, (0.1, 0.4999999)))
    cases = fast_cases.extreme_cases(Draw(np.random.default_rng(3)))
    for i in range(32):
        n = fast_cases.Numbers(draw.one_of("random", "ends"), draw.one_of("random", "ends"), *ranges[i % 4])
        cases.append(fast_cases.conv(draw, (3, 5, 12), 6, Window((1, 1)), n))
        cases.append(fast_cases.depthwise(draw, (6, 9, 3), Window((3, 3)), n))
        cases.append(fast_cases.dense(draw, 33, 8, n))
    batch = build_batch(cases, "ends", target=FAST)
    assert sum("fast" in name for call in batch.calls for name in variant_names([call])) > len(cases) // 2
    [outputs] = run_native([batch])
    batch.check(outputs)
    assert largest_difference(batch) == 1


@pytest.mark.parametrize(("zero", "fitting"), [(-128, 258), (0, 514), (127, 258)])
def test_dense_outputs_go_in_pairs_as_long_as_their_sums_keep_24_bits(zero: int, fitting: int) -> None:
    """Weights and inputs that drive sums to their ends, of either sign."""
    draw, cases = Draw(np.random.default_rng(5)), []
    for inputs, x, weight in product((fitting, fitting + 4), ("all -128", "all 127"), (-127, 127)):
        n = fast_cases.Numbers("all 127", x, 0, (1e-5, 2e-5), zero)
        cases.append(fast_cases.dense(draw, inputs, 6, n))
        weights = cases[-1].graph.tensor("w")
        weights.data = np.full_like(weights.data, weight)
    for target in (Target(), FAST):
        batch = build_batch(cases, f"pairs{zero + 128}", target=target)
        names = [str(call.params["quads"]) for call in batch.calls]
        assert [name.endswith("_pairs") for name in names] == [True] * 4 + [False] * 4
        [outputs] = run_native([batch])
        batch.check(outputs)


def test_weights_of_minus_128_go_in_pairs_where_halfwords_hold_them() -> None:
    draw = Draw(np.random.default_rng(6))
    cases = [fast_cases.dense(draw, 9, 5, fast_cases.Numbers("all -128", zero_x=0)) for _ in range(3)]
    for case, above in zip(cases, (0, 5, -1), strict=True):
        weights = case.graph.tensor("w")
        weights.data = np.full_like(weights.data, -128)
        weights.data[::2] = above
    batch = build_batch(cases, "least", target=FAST)
    assert [str(call.params["quads"]) for call in batch.calls] == ["te_dense_fast_pairs"] * 2 + ["te_dense_fast"]
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_multipliers_from_one_half_on_round_exactly() -> None:
    draw = Draw(np.random.default_rng(2))
    half = fast_cases.Numbers(multiplier=(0.5, 0.5))
    cases = [
        fast_cases.conv(draw, (3, 5, 12), 6, Window((1, 1)), half),
        fast_cases.depthwise(draw, (6, 9, 3), Window((3, 3)), half),
        fast_cases.dense(draw, 33, 8, half),
    ]
    calls = build_batch(cases, "half", target=FAST).calls
    assert {call.function for call in calls} == {"te_conv_fast_s8", "te_depthwise_direct_s8", "te_dense_fast_s8"}
    assert not any("fast" in name for name in variant_names(calls))


def test_extreme_sums() -> None:
    """Full-range weights and inputs, all -128, large biases: fast where the range checks allow, always right."""
    batch = build_batch(fast_cases.extreme_cases(Draw(np.random.default_rng(3))), "extreme")
    notes = [call.note for call in batch.calls if call.function == "te_depthwise_fast_s8"]
    assert any("channels SMLAD" in note for note in notes), "no layer mixes both ways"
    assert any(note.endswith("SMLAL") for note in notes)
    assert "te_depthwise_direct_s8" in {call.function for call in batch.calls}, "no layer fails all range checks"
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_full_fields() -> None:
    """Biases that fill the fields of the polynomial products exactly, and one more, which must run otherwise."""
    for target in (Target(optimize="sram"), replace(FAST, optimize="sram")):  # for time, plain channels run otherwise
        batch = build_batch(fast_cases.limit_cases(Draw(np.random.default_rng(7))), "limits", target=target)
        mixed = [call for call in batch.calls if "map" in call.params and call.params["some_plain"]]
        assert len(mixed) > len(batch.calls) // 2
        [outputs] = run_native([batch])
        batch.check(outputs)


def test_long_layers_for_little_sram() -> None:
    """From MIN_INPUTS inputs on without scratch memory, however many outputs; else only for few."""
    draw = Draw(np.random.default_rng(13))
    cases = [fast_cases.dense(draw, k, n, fast_cases.SMALL) for k in (2047, 2048, 2051) for n in (4, 5, 8)]
    functions = {}
    for optimize in ("time", "sram"):
        batch = build_batch(cases, optimize, "tight", target=Target(optimize=optimize))
        functions[optimize] = [call.function for call in batch.calls]
        [outputs] = run_native([batch])
        batch.check(outputs)
    fast, long = "te_dense_fast_s8", "te_dense_long_s8"
    assert functions == {"time": [fast] * 3 + [long, fast, fast] * 2, "sram": [fast] * 3 + [long] * 6}


def test_linear_additions_of_every_pair() -> None:
    draw = Draw(np.random.default_rng(9))
    batch = build_batch([fast_cases.every_addition(draw) for _ in range(6)], "pairs")
    assert variant_names(batch.calls) == {"te_add_linear"}
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_ties_are_not_added_linearly() -> None:
    """TFLite rounds halves away from zero, a shift rounds them up: such scales take another kernel."""
    draw = Draw(np.random.default_rng(10))
    cases = [fast_cases.add(draw, 40, equal, ties=True) for equal in (False, True) for _ in range(8)]
    batch = build_batch(cases, "ties")
    assert "te_add_scaled" in variant_names(batch.calls)
    assert "te_add_s8" in {call.function for call in batch.calls}  # equal scales
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_what_repeats() -> None:
    """Rows that serve all pixels take the fast kernels, with every variant; what TFLite rounds away from zero on both
    sides, and differences that no line gives, do not."""
    batch = build_batch(fast_cases.repeated_cases(Draw(np.random.default_rng(11)), 150), "repeated")
    functions = {call.function for call in batch.calls}
    assert functions >= {"te_add_fast_const_s8", "te_mul_fast_s8", "te_mul_fast_const_s8"}
    constant = [call for call in batch.calls if call.function == "te_add_fast_const_s8"]
    assert {call.params["add"] for call in constant} == ADD_VARIANTS
    assert {call.params["constant_first"] for call in constant} == {0, 1}
    assert {call.op.kind for call in constant} == {OpKind.ADD, OpKind.SUB}
    multiplied = [call for call in batch.calls if call.function == "te_mul_fast_s8"]
    assert {call.params["step_b"] == 0 for call in multiplied} == {False, True}
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_little_code() -> None:
    """What is chosen for flash."""
    cases = compact_cases()
    targets = [Target(optimize="flash", requant=mode) for mode in ("exact", "fast")]
    batches = [build_batch(cases, f"code_{target.requant}", target=target) for target in targets]
    for batch, outputs in zip(batches, run_native(batches), strict=True):
        batch.check(outputs)


def test_small_blocks() -> None:
    """The least scratch memory: many blocks, each a few pixels."""
    cases = cases_of("conv", 11)
    batch = build_batch(cases, "small", "tight", target=Target(optimize="sram"))
    time = build_batch(cases, "large", "tight")
    assert sum(c.scratch_bytes for c in batch.calls) < sum(c.scratch_bytes for c in time.calls)
    [outputs] = run_native([batch])
    batch.check(outputs)


def target_batches(target: Target | None = None) -> list[Batch]:
    """The same operators for all cores, chosen so that every variant runs."""
    batches = [
        build_batch(cases_of(family, 5, 2 * COUNT), f"{family}_{placement}", placement, target=target)
        for family in FAMILIES
        for placement in ("apart", "tight")
    ]
    extreme = fast_cases.extreme_cases(Draw(np.random.default_rng(3)))
    return [
        *batches,
        build_batch(extreme, "extreme", target=target),
        build_batch(fast_cases.map_cases(Draw(np.random.default_rng(6))), "maps", "tight", target=target),
        build_batch(
            fast_cases.limit_cases(Draw(np.random.default_rng(7))),
            "limits",
            target=replace(target or Target(), optimize="sram"),
        ),
        build_batch(long_fields(), "fields", "tight", target=target),
        build_batch(compact_cases(), "code", "tight", target=replace(target or Target(), optimize="flash")),
        build_batch(long_fields()[-112:-72], "sram", "tight", target=replace(target or Target(), optimize="sram")),
    ]


def compact_cases() -> list[OpCase]:
    """For the kernels with little code."""
    return cases_of("conv", 12) + long_fields()[::5]


def long_fields() -> list[OpCase]:
    """Receptive fields beyond one pass of the unrolled loops, and every number of groups up to there."""
    draw = Draw(np.random.default_rng(8))
    lengths = [*range(1, 75), 96, 127, 128, 129, 200, 256, 300]
    pixel = Window((1, 1))
    cases = [fast_cases.conv(draw, (1, 3, k), 3, pixel, fast_cases.SMALL) for k in lengths]
    cases += [fast_cases.conv(draw, (1, 1, k), 5, pixel, fast_cases.SMALL) for k in lengths[::5]]
    # few pixels read four channels' weights where they lie, more read a copy
    cases += [fast_cases.conv(draw, (1, n, k), 4, pixel, fast_cases.SMALL) for n in (6, 7) for k in (3, 21, 66, 96)]
    # many outputs for few values make doubled columns pay
    cases += [fast_cases.conv(draw, (2, 3, k), k, pixel, fast_cases.SMALL) for k in range(2, 33)]
    cases += [fast_cases.conv(draw, (2, 3, 8), n, pixel, fast_cases.SMALL) for n in (*range(2, 20), 24)]
    for stride in (1, 2):
        stem = Window((3, 3), (stride, stride), (1, 1), (0, 1, 0, 1))
        cases += [fast_cases.conv(draw, (10, 12, 3), n, stem, fast_cases.SMALL) for n in (3, 8, 16, 17, 20)]
        cases.append(fast_cases.conv(draw, (10, 12, 3), 16, stem, fast_cases.Numbers("ends"), all_weights=True))
    return cases + [fast_cases.dense(draw, k, 5, fast_cases.SMALL) for k in lengths]


@pytest.mark.slow
def test_every_variant_is_tested() -> None:
    calls = [call for batch in target_batches() for call in batch.calls]
    missing = (CONV_VARIANTS | DENSE_VARIANTS | ADD_VARIANTS | DEPTHWISE_VARIANTS | MAP_VARIANTS) - variant_names(calls)
    assert not missing
    others = {"te_depthwise_column_s8", "te_depthwise_direct_s8", "te_dense_long_s8"}
    others |= {"te_conv_s16", "te_depthwise_s16", "te_dense_s16"}
    assert others <= {call.function for call in calls}
    dots = {call.params["dots"] for call in calls if call.function == "te_dense_long_s8"}
    assert dots == {"te_dense_dot", "te_dense_two_dots"}
    fast = [call for batch in target_batches(FAST) for call in batch.calls]
    assert not FAST_VARIANTS - variant_names(fast)
    rings = {(call.params["run"], call.params["phase"]) for call in calls if "phase" in call.params}
    phases = {by_2: {phase for run, phase in rings if run.endswith("_by_2") == by_2} for by_2 in (False, True)}
    assert phases == {False: {0, 1, 2}, True: {0, 1, 2, 3}}, "not every way to gather runs"


@pytest.mark.slow(but=1)
@pytest.mark.parametrize("requant,portable", [("exact", False), ("fast", False), ("fast", True)])
@needs.thorough_cores
def test_kernels_on_target(cpu: str, requant: str, portable: bool) -> None:
    every = target_batches(Target(requant=requant))
    for batches in (every[::2], every[1::2]):  # all together do not fit the simulated RAM
        with BenchImage(batches, cpu, portable) as image:
            results = image.run([Job(i, batch.inputs) for i, batch in enumerate(batches)], exact=False)
        for batch, result in zip(batches, results, strict=True):
            batch.check(result.outputs)
            assert result.guards_intact, batch.prefix


# Host side ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs,run_bytes", [(1, 1), (1, 8), (3, 9), (9, 3), (10, 4), (2, 7)])
def test_field_order_is_a_permutation(runs: int, run_bytes: int) -> None:
    field = Field(runs, run_bytes)
    order = field.order()
    assert len(order) == 4 * field.groups
    assert sorted(order[order >= 0]) == list(range(runs * run_bytes))
    assert field.groups == -(-runs * run_bytes // 4) or run_bytes % 4 == 0


@pytest.mark.parametrize(
    "kernel,stride,lead", [(k, s, lead) for k in (3, 5, 7) for s, lead in ((1, 0), (1, 1), (2, 0))]
)
def test_range_check_is_tight(kernel: int, stride: int, lead: int) -> None:
    """One step below the limit passes, the limit itself fails: in the middle field and in the outer ones."""
    order = tap_order(kernel, stride, lead)
    weights = np.zeros((1, kernel, kernel), np.int64)
    weights[0, 0, 0] = 1
    reach = (1 << 19) - 128  # |bias| + 128 * |weight| may not exceed 2**19, less one where it is reached upwards
    assert fits_fields(weights, np.array([-reach]), order)[0]
    assert not fits_fields(weights, np.array([-reach - 1]), order)[0]
    assert fits_fields(weights, np.array([reach]), order)[0]
    assert not fits_fields(weights, np.array([reach + 1]), order)[0]
    full = np.full((1, kernel, kernel), 127, np.int64)
    worst = 127 * 128 * kernel * kernel
    assert fits_fields(full, np.array([0]), order)[0] == (worst <= 1 << 19)


@pytest.mark.parametrize("kernel", [MapKernel(3, 1, 8, 1), MapKernel(5, 2, 8, 2), MapKernel(7, 1, 8, 3)])
def test_range_check_of_maps_is_tight(kernel: MapKernel) -> None:
    """One step below the limit passes, the limit fails: 2**20 for the sum, and for the sum of the taps in one field."""
    weights = np.zeros((1, kernel.kernel, kernel.kernel), np.int64)
    weights[0, 1, 1] = 1
    reach = (1 << 20) - 255
    for doubled in (False, True):
        limit = reach if not doubled else ((1 << 20) - 510) // 2
        assert kernel.fits(weights, np.array([-limit]), 127, doubled)[0]
        assert not kernel.fits(weights, np.array([-limit - 1]), 127, doubled)[0]
        assert kernel.fits(weights, np.array([limit - 1]), -128, doubled)[0]
        assert not kernel.fits(weights, np.array([limit]), -128, doubled)[0]
    full = np.full((1, kernel.kernel, kernel.kernel), 127, np.int64)
    assert kernel.fits(full, np.array([0]), -128, False)[0] == (127 * 255 * kernel.kernel**2 < 1 << 20)


@pytest.mark.parametrize("requant", ["exact", "fast"])
def test_dead_channels_do_not_spoil_a_layer(requant: str) -> None:
    """A channel with zero weights and a bias that the converter saturated becomes a constant; the rest stays fast."""
    draw, target = Draw(np.random.default_rng(1)), Target(requant=requant)
    cases = [fast_cases.conv(draw, (4, 4, k), 6, Window((1, 1)), fast_cases.SMALL) for k in (8, 12) for _ in range(3)]
    for case in cases:
        case.graph.tensor("w").data[2] = 0
        case.graph.tensor("b").data[2] = -(1 << 31)
        call = lower(case.graph.operators[0], case.graph, target)
        assert call.function in ("te_conv_fast_s8", "te_conv_narrow_s8")
    batch = build_batch(cases, f"dead_{requant}", target=target)
    [outputs] = run_native([batch])
    batch.check(outputs)


def test_sums_beyond_the_formulas_are_refused() -> None:
    requant = Requant(np.array([1 << 30], np.int32), np.array([-8], np.int8), 0, -128, 127)
    within, beyond = (sum_range(np.full((1, taps), 127, np.int64), np.array([0]), 0) for taps in (66052, 66053))
    assert within.magnitude[0] < 1 << 30 <= beyond.magnitude[0]
    assert fixed_rounding(requant, within) is not None
    assert fixed_rounding(requant, beyond) is None


def conv_with(weights: np.ndarray, scales: list[float] | None = None) -> OpCase:
    """A pointwise convolution with ``weights`` (outputs, inputs)."""
    draw = Draw(np.random.default_rng(5))
    numbers = fast_cases.Numbers(bias=0)
    case = fast_cases.conv(draw, (1, 2, weights.shape[1]), len(weights), Window((1, 1)), numbers)
    tensor = case.graph.tensor("w")
    tensor.data = weights.astype(np.int8).reshape(tensor.shape)
    if scales is not None:
        tensor.quant = replace(tensor.quant, scale=tuple(scales))
    return case


def test_only_four_channels_round_the_wide_way() -> None:
    """Where one of many has a multiplier from 0.5 on, in either rounding: TE_CONV_QUADS_WIDE leads 21 words."""
    scales = [0.01] * 16
    scales[5] = 0.7 * 0.5 / 0.25
    case = conv_with(np.full((16, 12), 3), scales)
    for target in (Target(), FAST):
        call = lower(case.graph.operators[0], case.graph, target)
        assert str(call.params["tiles"]) == "te_conv_quads_exact"
        data = call.params["weights"].data
        assert (data == WIDE_QUAD).sum() == 1
        assert data.size == 4 * (2 + 4 * 3 + 2) + 3 * 5 + 21


def test_pairs_of_weights_reach_their_limits() -> None:
    """No weight is -128, and the sum of a channel's products stays below 2**23."""

    def tiles(row: list[int]) -> str:
        weights = np.ones((8, len(row)))
        weights[3] = row
        case = conv_with(weights)
        return str(lower(case.graph.operators[0], case.graph, FAST).params["tiles"])

    assert tiles([5, -127, 5]) == "te_conv_quads_fast"
    assert tiles([5, -128, 5]) == "te_conv_tiles_fast"
    assert tiles([127] * 516 + [3]) == "te_conv_quads_fast"  # 128 * 65535
    assert tiles([127] * 516 + [4]) == "te_conv_tiles_fast"


@pytest.mark.parametrize(
    "rows,optimize,kernel", [(48, "time", "quads"), (6, "time", "quads"), (5, "time", "fast"), (6, "sram", "fast")]
)
def test_all_but_the_smallest_maps_take_four_channels_at_a_time(rows: int, optimize: str, kernel: str) -> None:
    draw = Draw(np.random.default_rng(5))
    same = Window((3, 3), pad=(1, 1, 1, 1))
    case = fast_cases.depthwise(draw, (rows, rows, 8), same, fast_cases.Numbers(bias=0, multiplier=(0.001, 0.002)))
    call = lower(case.graph.operators[0], case.graph, Target(optimize=optimize, requant="fast"))
    assert call.function == f"te_depthwise_{kernel}_s8"


@pytest.mark.parametrize("optimize,tiles", [("time", "quads"), ("sram", "narrow")])
def test_eight_input_channels_take_columns_where_time_counts(optimize: str, tiles: str) -> None:
    case = conv_with(np.ones((8, 8)))
    call = lower(case.graph.operators[0], case.graph, Target(optimize=optimize, requant="fast"))
    assert call.params["tiles"] == f"te_conv_{tiles}_fast"
    assert (call.scratch_bytes == 0) == (optimize == "sram")
