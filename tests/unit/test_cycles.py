"""The timing models on sequences whose cycles documentation or measurements of others give or imply."""

from __future__ import annotations

import struct

import pytest
from tinyengine.errors import ToolError
from tinyengine.measure.cycles import cortex_m7, cortex_m33
from tinyengine.measure.cycles.cortex_m4 import block_cycles
from tinyengine.measure.cycles.in_order import Kind, use_of
from tinyengine.measure.cycles.instructions import Cycles, Instruction, is_branch
from tinyengine.measure.cycles.trace import BlockRuns, Segment, read_segments


def block(*lines: str) -> list[Instruction]:
    pairs = (line.split(maxsplit=1) for line in lines)
    return [Instruction(4 * index, name, *(rest or [""])) for index, (name, *rest) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("lines", "cycles"),
    [
        (["ldr r0, [r1]"], 2),
        (["ldr r0, [r1]", "ldr r1, [r2]"], 3),  # pipelined
        (["ldr r0, [r1, r2]", "str r0, [r3, #20]"], 3),
        (["ldr r0, [r1, r2]", "str r1, [r3, r2]"], 3),
        (["ldr r0, [r1, r5]", "ldr r1, [r2, #0]", "ldr r2, [r3, #4]"], 4),
        (["ldr r0, [r1]", "ldr r2, [r0]"], 4),  # the first makes the address of the second
        (["ldrsb r0, [r1], #1", "ldrh r2, [r3, #2]"], 3),
        (["str r0, [r1, #4]"], 1),
        (["str r0, [r1, #4]", "ldr r2, [r3]"], 3),  # nothing is pipelined behind a store
        (["str r0, [r1, r2]"], 2),
        (["add r1, r1, r2", "ldr r0, [r1]"], 4),  # nothing forwards the sum to the address
        (["cmp r1, r2", "ldr r0, [r1]"], 3),
        (["add r1, r1, r2", "ldr r0, [r3]"], 3),
        (["ldmia r0!, {r4, r5, r6, r7}"], 5),
        (["push {r4, r5, lr}", "vpush {d8}", "pop {r4, r5, pc}"], 4 + 2 + 4),
        (["ldrd r0, r1, [r2], #8", "strd r0, r1, [r3]"], 6),
        (["smlad r0, r1, r2, r3", "smlal r0, r1, r2, r3", "mul r0, r1, r2", "ssat r0, #8, r1", "sxtb16 r0, r1"], 5),
        (["vdiv.f32 s0, s1, s2", "vmla.f32 s0, s1, s2", "vadd.f32 s0, s1, s2", "vldr s0, [r0]"], 14 + 3 + 1 + 2),
        (["vmov r0, s1", "vmov s1, r0", "vmov r0, r1, s2, s3", "vmov d8, r0, r1"], 1 + 1 + 2 + 2),
        (["ldrne r0, [r1]", "strne r0, [r2, #4]", "movne r0, r1"], 4),
        (["subs r0, #1", "bne.n 1b"], 2),  # the refill is counted where it is taken
        (["tbb [pc, r0]"], 3),
    ],
)
def test_documented_sequences(lines: list[str], cycles: int) -> None:
    assert block_cycles(block(*lines)) == Cycles(cycles, cycles, cycles)


def test_what_is_open_is_a_range() -> None:
    assert block_cycles(block("sdiv r0, r1, r2", "udiveq r0, r1, r2")) == Cycles(4, 14, 24)
    assert block_cycles(block("ite ge", "movge r0, r1")) == Cycles(1, 2, 2)
    assert Cycles(1, 2, 3) * 4 + Cycles(1, 1, 1) == Cycles(5, 9, 13)


@pytest.mark.parametrize(
    ("line", "branches"),
    [
        *(("b 10", True), ("bls 10", True), ("bl 10 <f>", True), ("bx lr", True), ("cbnz r0, 10", True)),
        *(("pop {r4, pc}", True), ("ldmia sp!, {r4, pc}", True), ("ldr pc, [r0]", True), ("mov pc, r0", True)),
        *(("tbh [pc, r0, lsl #1]", True), ("bic r0, r1", False), ("bfi r0, r1, #2, #3", False)),
        *(("ldr r0, [pc, #4]", False), ("pop {r4}", False), ("add r0, pc, #4", False)),
    ],
)
def test_branches(line: str, branches: bool) -> None:
    assert is_branch(block(line)[0]) is branches


def test_records_of_the_plugin() -> None:
    data = (
        struct.pack("<IIQ", 0x100, 2, 7)
        + struct.pack("<IIQQ", 0x40, 3, 1000, 999)
        + struct.pack("<IIQQ", 0x80, 1, 1, 0)
    )
    data += struct.pack("<IIQ", 0x200, 0, 0)
    assert read_segments(data) == [
        Segment(0x100, 7, (BlockRuns(0x40, 3, 1000, 999), BlockRuns(0x80, 1, 1, 0))),
        Segment(0x200, 0, ()),
    ]
    with pytest.raises(ToolError, match="damaged"):
        read_segments(data[:-1])


@pytest.mark.parametrize(
    ("lines", "m33", "m7"),
    [
        (["ldr r0, [r1]", "ldr r2, [r1, #4]"], 2, 1),  # different halves of a double word
        (["ldr r0, [r1]", "ldr r2, [r1, #8]"], 2, 2),
        (["ldr r0, [r1]", "ldr r2, [r3, #4]"], 2, 2),
        (["ldmia r0!, {r4, r5, r6, r7}"], 4, 2),
        (["ldm r0, {r4-r6, sl}", "ldrd r0, r1, [r2], #8"], 6, 3),
        (["ldr r0, [r1]", "smlad r2, r0, r0, r2"], 3, 3),
        (["smlad r2, r0, r1, r2", "smlad r2, r0, r3, r2", "smlad r2, r0, r4, r2"], 3, 3),  # sums go on at once
        (["smlad r2, r0, r1, r2", "add r3, r2, #1"], 3, 3),
        (["smlad r2, r0, r1, r2", "ldr r0, [r4]", "smlad r5, r6, r1, r5", "ldr r6, [r4, #8]"], 4, 2),
        (["smlad r2, r0, r1, r2", "str r0, [r4]"], 2, 2),
        (["sxtb16 r0, r1", "smlad r2, r3, r4, r2"], 2, 1),  # the older of a pair
        (["smlad r2, r3, r4, r2", "sxtb16 r0, r1"], 2, 2),
        (["sxtb16 r0, r1", "sxtb16 r2, r3"], 2, 2),
        (["ldrb r0, [r1]", "add r0, r0, #1"], 3, 3),
        (["ldr r0, [r1], #4", "ldr r2, [r1]"], 2, 2),
        (["str r0, [r1]", "add r2, r2, #1"], 2, 1),
        (["udiv r0, r1, r2"], 1 + 6, 1 + 6),
        (["push {r4-r7, lr}", "pop {r4-r7, pc}"], 10, 6),
    ],
)
def test_in_order(lines: list[str], m33: int, m7: int) -> None:
    """What was measured of pairs and latencies on an RP2350 and an STM32H743 (sources: the modules)."""
    for model, cycles in ((cortex_m33, m33), (cortex_m7, m7)):
        found = model.block_cycles(block(*lines))
        assert found.estimate == cycles, model.__name__
        assert found.low <= found.estimate <= found.high


def test_how_registers_are_used() -> None:
    def use(line: str) -> tuple[Kind, tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        found = use_of(block(line)[0])
        return found.kind, found.written, found.read, found.sums, found.address

    assert use("smlal r4, r5, sl, fp") == (Kind.MULTIPLY, ("r4", "r5"), ("r10", "r11"), ("r4", "r5"), ())
    assert use("smull r4, r5, r6, r7") == (Kind.MULTIPLY, ("r4", "r5"), ("r6", "r7"), (), ())
    assert use("mul r0, r1") == (Kind.MULTIPLY, ("r0",), ("r0", "r1"), (), ())
    assert use("ldmia.w r0!, {r4-r6, ip}".replace(".w", ""))[1] == ("r4", "r5", "r6", "r12")
    assert use("vldmia r1!, {s0-s2}") == (Kind.LOADS, ("s0", "s1", "s2"), (), (), ("r1",))
    assert use("str r0, [r1, r2]") == (Kind.STORE, (), ("r0",), (), ("r1", "r2"))
    assert use("subs r0, #1")[1] == ("r0", "flags")
    assert use("bne 10")[0] is Kind.BRANCH
    updated = use_of(block("ldr r0, [r1, #8]!")[0])
    assert (updated.updated, updated.bank) == (("r1",), 0)
    assert use_of(block("add r0, r1, r2, asr #8")[0]).right
    assert not use_of(block("add r0, r1, r2, lsl #8")[0]).right
