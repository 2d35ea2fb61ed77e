"""Random whole networks (tests/helpers/whole_graphs.py) by the thousand:

    python -m tests.fuzz.graphs tflite 0 2000      the oracle against TFLite's reference kernels
    python -m tests.fuzz.graphs uint8 0 1000       the same of files of uint8
    python -m tests.fuzz.graphs c 0 1000           portable C under sanitizers against the oracle
    python -m tests.fuzz.graphs cores 0 300        C on both simulated cores, for DSP and portable

Prints the seeds, with as few steps as still show it, that differ or end in an exception; exit code 1 if there are any.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable

from tests.helpers.whole_check import (
    Compiled,
    against_oracle,
    against_tflite,
    against_tflite_in_uint8,
    compiled,
    on_core,
    under_sanitizers,
)
from tests.helpers.whole_graphs import ANY, FLOAT, INT8, OLD, WRITABLE, random_graph

BATCH = 24


def steps_of(seed: int) -> int:
    return 1 + seed % 8


def shrunk(seed: int, check: Callable[[int, int], str]) -> tuple[int, str]:
    """The fewest steps that still show something."""
    steps = steps_of(seed)
    found = check(seed, steps)
    while found and steps > 1 and (fewer := check(seed, steps - 1)):
        steps, found = steps - 1, fewer
    return steps, found


def told(function: Callable[[int, int], str]) -> Callable[[int, int], str]:
    """An exception as a finding."""

    def check(seed: int, steps: int) -> str:
        try:
            return function(seed, steps)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__} {str(error)[:300]} in {frame.filename}:{frame.lineno}"

    return check


@told
def tflite(seed: int, steps: int) -> str:
    return against_tflite(*random_graph(seed, steps, WRITABLE if seed % 3 else INT8))


@told
def uint8(seed: int, steps: int) -> str:
    return against_tflite_in_uint8(*random_graph(seed, steps, OLD), (61, 120, 128, 157)[seed % 4])


def batch(first: int, last: int) -> list[Compiled]:
    """Compiled networks; what the compiler refuses or fails at is said."""
    made: list[Compiled] = []
    for seed in range(first, last):
        try:
            made += compiled(seed, steps_of(seed), (ANY, FLOAT, INT8)[seed % 3], say)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            say(f"{seed}: {type(error).__name__} {str(error)[:300]} in {frame.filename}:{frame.lineno}")
    return made


def say(text: str) -> None:
    found.append(text)
    print(text, flush=True)


found: list[str] = []


def main() -> None:
    what, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    counts: Counter[str] = Counter()
    if what in ("tflite", "uint8"):
        check = tflite if what == "tflite" else uint8
        for seed in range(first, last):
            counts["networks"] += 1
            steps, text = shrunk(seed, check)
            if text:
                say(f"{seed} {steps} {text}")
    else:
        for start in range(first, last, BATCH):
            models = batch(start, min(last, start + BATCH))
            counts["networks"] += len(models)
            counts.update(str(call.form) for model in models for call in model.model.calls)
            if what == "c":
                ways = [under_sanitizers]
            else:
                ways = [
                    lambda models, cpu=cpu, portable=portable: on_core(models, cpu, portable)
                    for cpu in ("cortex-m4", "cortex-m7")
                    for portable in (False, True)
                ]
            for way in ways:
                try:
                    for text in against_oracle(models, way(models)):
                        say(text)
                except Exception as error:
                    say(f"{start}: {type(error).__name__} {str(error)[:2000]}")
    print(dict(counts), len(found), "findings")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
