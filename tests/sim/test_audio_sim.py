"""The audio front end on simulated cores."""

from __future__ import annotations

import numpy as np
import pytest
from tinyengine.audio import features, front_end
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.data.audio import AudioForm
from tinyengine.measure.target_runner import BenchImage, Job

from tests.helpers import needs
from tests.helpers.sound import SENTENCES, any_clip, runs_of, speech

SLICES = 3
CLIPS = 100


@pytest.mark.parametrize(
    ("cpu", "portable"),
    [pytest.param(*case, marks=needs.simulated_core) for case in (("m4", False), ("m4", True), ("m7", False))],
)
def test_cores_hear_the_same(cpu: str, portable: bool) -> None:
    form = AudioForm("micro")
    model = compile_graph(front_end(form, SLICES), CompileOptions(cpu=f"cortex-{cpu}"))
    clips = [any_clip(seed, form.samples(SLICES)) for seed in range(CLIPS)] + [speech(text) for text in SENTENCES]
    runs = [runs_of(form, clip, SLICES) for clip in clips]
    jobs = [Job(0, values, reset=number == 0) for each in runs for number, values in enumerate(each)]
    with BenchImage([model], f"cortex-{cpu}", portable) as image:
        results = iter(image.run(jobs, exact=False))
    for clip, each in zip(clips, runs, strict=True):
        made = np.concatenate([next(results).outputs[0].reshape(SLICES, -1) for _ in each])
        np.testing.assert_array_equal(made, features(form, clip)[: len(made)])
