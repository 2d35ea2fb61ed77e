"""A mix of requests whose right answers are known, for use on damaged lines."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
from tinyengine.device import Device, Inference
from tinyengine.errors import DeviceError

from tests.helpers.native_device import expected_outputs, random_picture


@dataclass(frozen=True)
class Plan:
    """How many exchanges of what kind; the rest are echoes."""

    exchanges: int
    seed: int
    inferences: float = 0.3
    statistics: float = 0.1
    longest_echo: int = 1000


@dataclass
class Result:
    """``lost`` counts operations that ended in a DeviceError; ``wrong`` describes answers that were not right."""

    right: int = 0
    lost: int = 0
    wrong: list[str] = field(default_factory=list)


def check_inference(device: Device, seed: int, by_rows: bool) -> str | None:
    """One inference of the hand-written network; None, or what is wrong with its answer."""
    rows, columns, _ = device.identity.inputs[0].shape
    picture = random_picture(seed, size=(rows, columns))
    answer = device.infer(picture, by_rows=by_rows)
    sums, mirror = expected_outputs(picture, side=device.identity.outputs[1].shape[0])
    if not np.array_equal(answer.outputs[0], sums) or not np.array_equal(answer.outputs[1], mirror):
        return f"inference {seed} by {'rows' if by_rows else 'frame'} gave other values"
    return _executed_once(answer, rows)


def _executed_once(answer: Inference, rows: int) -> str | None:
    """The network counts its own calls: every picture must have gone through it whole and once."""
    runs, begins, low, high = answer.outputs[2].view(np.uint8).astype(int)
    if runs != answer.run % 256:
        return f"run {answer.run} says it is the {runs}th"
    if begins == runs and low + 256 * high != rows * answer.run % 65536:
        return f"after {answer.run} runs {low + 256 * high} rows were pushed"
    return None


def exchange_under_fire(device: Device, plan: Plan) -> Result:
    """Run the plan on a device with the hand-written network."""
    chance, result, runs = random.Random(plan.seed), Result(), 0
    for number in range(plan.exchanges):
        kind = chance.random()
        try:
            if kind < plan.inferences:
                wrong = check_inference(device, plan.seed * 10_000 + number, chance.random() < 0.5)
                runs += 1
            elif kind < plan.inferences + plan.statistics:
                seen = device.statistics().runs
                wrong = None if result.lost or seen == runs else f"{seen} runs instead of {runs}"
            else:
                payload = chance.randbytes(chance.randrange(plan.longest_echo))
                wrong = None if device.echo(payload) == payload else f"echo {number} differs"
        except DeviceError:
            result.lost += 1
            continue
        if wrong is None:
            result.right += 1
        else:
            result.wrong.append(wrong)
    return result
