"""Placement of buffers under overlap rules, against exhaustive search and an independent check."""

from __future__ import annotations

from itertools import combinations
from math import gcd

from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.memory import Buffer, OverlapRule, lower_bound, place
from tinyengine.memory.exact import minimize
from tinyengine.memory.placement import _easy
from tinyengine.memory.problem import allowed, first_fit, lowest_fit, make_problem, moved_fit
from tinyengine.sizes import round_up

Addresses = dict[str, int]


def bytes_of(buffer: Buffer, addresses: Addresses) -> range:
    return range(addresses[buffer.name], addresses[buffer.name] + buffer.size)


def compatible(a: Buffer, b: Buffer, rules: list[OverlapRule], addresses: Addresses) -> bool:
    """Whether two buffers respect each other, by the definition: no byte in common, or no step, or a rule allows it."""
    if not any(b.first <= step <= b.last for step in range(a.first, a.last + 1)):
        return True
    if not set(bytes_of(a, addresses)) & set(bytes_of(b, addresses)):
        return True
    rule = next((rule for rule in rules if {rule.before, rule.after} == {a.name, b.name}), None)
    return rule is not None and rule.allows(addresses[rule.before], addresses[rule.after])


def is_valid(buffers: list[Buffer], rules: list[OverlapRule], addresses: Addresses) -> bool:
    aligned = all(addresses[b.name] >= 0 and addresses[b.name] % b.align == 0 for b in buffers)
    return aligned and all(compatible(a, b, rules, addresses) for a, b in combinations(buffers, 2))


def total_of(buffers: list[Buffer], addresses: Addresses, grain: int) -> int:
    """Bytes of the arena, in whole units of the common alignment."""
    return round_up(max(addresses[b.name] + b.size for b in buffers), grain)


def grain_of(buffers: list[Buffer]) -> int:
    return gcd(*(b.align for b in buffers))


def smallest(buffers: list[Buffer], rules: list[OverlapRule]) -> int:
    """The smallest total by trying every address of every buffer."""
    best = sum(b.size + b.align for b in buffers)
    grain = grain_of(buffers)

    def extend(index: int, addresses: Addresses) -> None:
        nonlocal best
        if index == len(buffers):
            best = total_of(buffers, addresses, grain)
            return
        new, placed = buffers[index], buffers[:index]
        for address in range(0, best, new.align):
            addresses = {**addresses, new.name: address}
            if total_of([*placed, new], addresses, grain) >= best:
                return
            if all(compatible(new, other, rules, addresses) for other in placed):
                extend(index + 1, addresses)

    extend(0, {})
    return best


@st.composite
def instances(draw, most: int = 5, size: int = 6, steps: int = 4) -> tuple[list[Buffer], list[OverlapRule]]:
    aligns = draw(st.sampled_from([(1,), (1, 2), (2,), (2, 4), (4, 8)]))
    buffers = []
    for index in range(draw(st.integers(1, most))):
        first = draw(st.integers(-1, steps))
        last = draw(st.integers(first, steps))
        align = draw(st.sampled_from(aligns))
        buffers.append(Buffer(f"b{index}", draw(st.integers(0, size * aligns[0])), align, first, last))
    rules = []
    for a, b in combinations(buffers, 2):
        kind = draw(st.sampled_from(["none", "none", "exact", "distance"]))
        if a.meets(b) and kind != "none":
            before, after = (a, b) if draw(st.booleans()) else (b, a)
            distance = draw(st.integers(-size, size)) * draw(st.sampled_from((1, aligns[0])))
            rules.append(OverlapRule(before.name, after.name, distance, kind == "exact"))
    return buffers, rules


@settings(max_examples=150, deadline=None)
@given(instances())
def test_equals_exhaustive_search(instance):
    buffers, rules = instance
    best = smallest(buffers, rules)
    placement = place(buffers, rules)
    assert is_valid(buffers, rules, dict(placement.addresses))
    assert total_of(buffers, dict(placement.addresses), grain_of(buffers)) == placement.total == best
    assert placement.optimal
    assert placement.lower_bound == best
    assert lower_bound(buffers, rules) <= best


@settings(max_examples=150, deadline=None)
@given(instances())
def test_branch_and_bound_alone_equals_exhaustive_search(instance):
    buffers, rules = instance
    problem, grain = make_problem(buffers, rules)
    above_any = sum(problem.sizes) + sum(problem.aligns) + 1
    result = minimize(problem, above_any, 0, 100_000)
    assert result.proven
    assert result.addresses is not None
    assert problem.total(result.addresses) * grain == smallest(buffers, rules)
    again = minimize(problem, problem.total(result.addresses), 0, 100_000)
    assert again.proven
    assert again.addresses is None


@settings(max_examples=20, deadline=None)
@given(instances(most=20, size=50, steps=12), st.sampled_from([0, 10, 200]))
def test_any_budget_gives_a_valid_placement_between_its_bounds(instance, budget):
    buffers, rules = instance
    placement = place(buffers, rules, budget)
    assert is_valid(buffers, rules, dict(placement.addresses))
    assert total_of(buffers, dict(placement.addresses), grain_of(buffers)) == placement.total
    assert lower_bound(buffers, rules) <= placement.lower_bound <= placement.total
    assert placement.optimal == (placement.total == placement.lower_bound)
    assert place(buffers, rules, budget) == placement


@settings(max_examples=100, deadline=None)
@given(instances())
def test_without_search_the_bound_still_holds(instance):
    buffers, rules = instance
    placement = place(buffers, rules, budget=0)
    best = smallest(buffers, rules)
    assert placement.lower_bound <= best <= placement.total


@settings(max_examples=300, deadline=None)
@given(instances(most=8), st.randoms(use_true_random=False))
def test_first_fit_takes_the_lowest_allowed_address(instance, rng):
    problem, _ = make_problem(*instance)
    top = sum(problem.sizes) + sum(problem.aligns)
    order = list(range(len(problem)))
    rng.shuffle(order)
    addresses: list[int | None] = [None] * len(problem)
    for i in order:
        ends = [x + size for x, size in zip(addresses, problem.sizes, strict=True) if x is not None]
        beyond = max(ends, default=0) + problem.aligns[i]  # the gaps may all be too small
        places = [x for x in range(max(top, beyond) + 1) if allowed(problem, i, x, addresses)]
        assert lowest_fit(problem, i, addresses) == places[0]
        addresses[i] = rng.choice(places)  # not only tight


@settings(max_examples=300, deadline=None)
@given(instances(most=8), st.randoms(use_true_random=False))
def test_a_buffer_that_moves_forward_in_the_order_disturbs_what_first_fit_says(instance, rng):
    problem, _ = make_problem(*instance)
    order = list(range(len(problem)))
    rng.shuffle(order)
    before = first_fit(problem, order)
    source = rng.randrange(len(order))
    target = rng.randint(0, source)
    order.insert(target, order.pop(source))
    expected = first_fit(problem, order)
    total = problem.total(before)
    assert moved_fit(problem, order, target, before, total) == (expected if problem.total(expected) <= total else None)


@settings(max_examples=300, deadline=None)
@given(instances(most=8), st.randoms(use_true_random=False))
def test_buffers_set_aside_fit_wherever_the_others_lie(instance, rng):
    problem, _ = make_problem(*instance)
    hard = list(range(len(problem)))
    rng.shuffle(hard)
    total = problem.total(first_fit(problem, hard))
    easy = _easy(problem, total)
    addresses: list[int | None] = [None] * len(problem)
    for i in [*(i for i in hard if i not in easy), *reversed(easy)]:
        fits = [x for x in range(total - problem.sizes[i] + 1) if allowed(problem, i, x, addresses)]
        assert fits or i not in easy
        if not fits:
            return  # the others do not fit themselves
        addresses[i] = rng.choice(fits)
