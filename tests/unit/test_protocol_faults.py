"""1,000 exchanges over a line that loses, doubles, flips, delays and cuts bytes in both directions."""

from __future__ import annotations

import pytest
from tinyengine.device import Device, Timing
from tinyengine.device.transport import SocketTransport

from tests.helpers.faulty_exchanges import Plan, exchange_under_fire
from tests.helpers.faulty_link import KINDS, FaultyTransport
from tests.helpers.native_device import native_device

QUICK = Timing(first=0.05, shortest=0.02, longest=0.3, patience=30.0)  # a shared machine may stall for seconds


@pytest.mark.slow
def test_thousand_exchanges_on_a_bad_line() -> None:
    with native_device() as native:
        line = FaultyTransport(SocketTransport(native.url), seed=1, probability=0.04)
        device = Device.connect(line, QUICK)
        result = exchange_under_fire(device, Plan(exchanges=1000, seed=2))
        line.close()
    assert result.wrong == []
    assert result.lost == 0, "a link this good must be survived by repetition alone"
    assert result.right == 1000
    assert all(line.faults[kind] >= 20 for kind in KINDS), line.faults
    assert device.counters.repeats >= 100


@pytest.mark.slow
def test_a_line_too_bad_gives_an_error_and_no_wrong_answer() -> None:
    """A fault every 800 bytes: operations may fail with a DeviceError, but nothing wrong is taken for an answer."""
    impatient = Timing(first=0.05, shortest=0.02, longest=0.1, patience=0.5, busy=0.5)
    with native_device() as native:
        line = FaultyTransport(SocketTransport(native.url), seed=3, probability=0.02, longest_delay=0.02)
        device = Device.connect(line, impatient)
        line.set_probability(0.5)
        result = exchange_under_fire(device, Plan(exchanges=30, seed=4))
        line.close()
    assert result.wrong == []
    assert result.right + result.lost == 30
    assert result.right > 0
