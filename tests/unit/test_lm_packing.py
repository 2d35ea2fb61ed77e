"""kernels/lm_packing.py: what the streams hold, and that its proofs are proofs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tinyengine.kernels import lm_packing as packing


def sums_w8(stream: np.ndarray, x: np.ndarray, part: int) -> np.ndarray:
    """What the kernel computes, modulo 2**32: the sums of four rows; ``stream`` K words."""
    halves = stream.view("<i2").reshape(len(x) // 2, 2, 2).transpose(1, 0, 2).reshape(2, -1).astype(np.int64)
    low = (halves & 255 ^ 128) - 128
    sums = np.zeros((2, 2), np.int64)
    for k in range(len(x) % (part or len(x)) - (part or len(x)), len(x), part or len(x)):
        here = slice(max(k, 0), k + (part or len(x)))
        raw, even = (((h[:, here] * x[here]).sum(1) + 2**31) % 2**32 - 2**31 for h in (halves, low))
        odd = ((raw - even + 2**31) % 2**32 - 2**31) >> 8
        sums += np.stack([even, odd], axis=1)
    return sums.ravel()


@settings(max_examples=60, deadline=None)
@given(
    steps=st.integers(1, 24),
    seed=st.integers(0, 1 << 30),
    peak=st.sampled_from([800, 2048, 4000, 12000]),
    extreme=st.booleans(),
)
def test_sums_come_out_of_halfwords_as_far_as_the_proof_says(steps: int, seed: int, peak: int, extreme: bool) -> None:
    rng = np.random.default_rng(seed)
    k = 8 * steps
    weights = (rng.choice([-127, 127], (4, k)) if extreme else rng.integers(-127, 128, (4, k))).astype(np.int8)
    wide = weights.astype(np.int64)
    part = packing.part_w8(weights, packing.peak_bound(k, peak))
    if part is None:
        assert (np.abs(wide[1::2]).reshape(2, -1, 8).sum(2) * peak >= 1 << 23).any()
        return
    stream = packing.pack_w8(weights, np.arange(4))
    assert (stream[-4:] == range(4)).all() and len(stream) == k + 4
    for x in (rng.integers(-peak, peak + 1, k), peak * np.sign(wide[1]), -peak * np.sign(wide[3])):
        assert (sums_w8(stream[:-4], x, part) == wide @ x).all()


def test_a_row_that_is_too_long_is_summed_in_parts() -> None:
    weights = np.full((4, 176), 63, np.int8)
    assert packing.part_w8(weights, packing.peak_bound(176, 600)) == 0
    assert packing.part_w8(weights, packing.peak_bound(176, 900)) == 128
    assert packing.part_w8(weights, packing.peak_bound(176, 2047)) == 64
    assert packing.part_w8(weights, packing.peak_bound(176, 2400)) == 48
    assert packing.part_w8(weights, packing.peak_bound(176, 16000)) == 8
    assert packing.part_w8(weights, packing.peak_bound(176, 32767)) is None
    bound = packing.peak_bound(176, 2047)
    assert packing.gemv_function(8, 176, 0, True, weights, bound) == ("te_lm_gemv_add_parts_w8", 64)
    assert packing.gemv_function(8, 176, 0, False, weights, packing.peak_bound(176, 32767)) == ("te_lm_gemv_any_w8", 0)
    narrow = np.full((4, 64), 20, np.int8)
    assert packing.gemv_function(8, 64, 0, False, narrow, packing.norm_bound(64, 10)) == ("te_lm_gemv_w8_64", 0)
    assert packing.gemv_function(8, 72, 0, False, narrow, packing.norm_bound(64, 10)) == ("te_lm_gemv_w8", 0)


def test_the_norm_bound_holds_for_every_matrix_of_up_to_64_inputs() -> None:
    assert packing.part_w8(np.full((4, 64), 127, np.int8), packing.norm_bound(64, 10)) == 0
    assert packing.part_w8(np.full((4, 128), 127, np.int8), packing.norm_bound(128, 10)) != 0


def test_words_of_four_bits() -> None:
    rng = np.random.default_rng(0)
    weights, scales = rng.integers(-8, 8, (8, 48), np.int8), rng.integers(1, 32767, (8, 2)).astype(np.int16)
    stream = packing.pack_w4(weights, np.arange(8), scales, 32).reshape(2, -1)
    assert stream.shape[1] == 24 + 4 + 4 and packing.stream_words(48, 32) == 24 + 8
    for q in range(2):
        rows = weights[4 * q : 4 * q + 4].astype(int)
        first, second = stream[q, :16].view("<u2").astype(int), stream[q, 18:26].view("<u2").astype(int)
        halves = np.concatenate([first, second])
        for r in range(3):
            assert ((halves >> 4 * r & 15) - 8 == rows[r]).all()
        assert ((halves >> 12 ^ 8) - 8 == rows[3]).all()
        assert (scales[4 * q : 4 * q + 4] == stream[q, [16, 17, 26, 27]].view("<i2").reshape(2, 4).T).all()
        assert (stream[q, 28:] == np.arange(4 * q, 4 * q + 4)).all()


def test_groups_whose_sums_would_not_fit_are_left_to_the_portable_kernel() -> None:
    weights, scales = np.full((4, 64), 7, np.int8), np.full((4, 1), 32767, np.int16)
    assert not packing.fits_w4(weights, scales, 64, packing.peak_bound(64, 2048))
    assert packing.fits_w4(weights // 4, scales, 64, packing.peak_bound(64, 2048))
    assert packing.fits_w4(weights, scales.repeat(2, 1), 32, packing.peak_bound(64, 1024))
    wide = packing.peak_bound(2048, 2048)  # every group fits, their sum does not
    assert not packing.fits_w4(np.full((4, 2048), 7, np.int8), np.full((4, 64), 32767, np.int16), 32, wide)
    call = packing.gemv_function(4, 64, 64, True, weights, packing.peak_bound(64, 2048), scales)
    assert call == ("te_lm_gemv_add_any_w4", 64)


@pytest.mark.parametrize(
    "shape,value,message", [((6, 8), 1, "fours"), ((4, 12), 1, "eights"), ((4, 8), -128, "outside -127")]
)
def test_what_cannot_be_packed(shape: tuple[int, int], value: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        packing.pack_w8(np.full(shape, value, np.int8), np.zeros(shape[0]))
