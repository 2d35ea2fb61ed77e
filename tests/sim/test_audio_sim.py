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
    """100 random sounds and three sentences: those of the micro frontend, and MLPerf's coefficients."""
    forms = [AudioForm("micro"), AudioForm.of("mfcc", level=1 << 15)]
    models = [
        compile_graph(front_end(form, SLICES), CompileOptions(cpu=f"cortex-{cpu}", prefix=form.kind)) for form in forms
    ]
    clips = [
        [any_clip(seed, form.samples(SLICES)) for seed in range(CLIPS)] + [speech(text) for text in SENTENCES]
        for form in forms
    ]
    runs = [[runs_of(form, clip, SLICES) for clip in of] for form, of in zip(forms, clips, strict=True)]
    jobs = [
        Job(index, values, reset=number == 0)
        for index, of in enumerate(runs)
        for each in of
        for number, values in enumerate(each)
    ]
    with BenchImage(models, f"cortex-{cpu}", portable) as image:
        results = iter(image.run(jobs, exact=False))
    for form, of, inputs in zip(forms, clips, runs, strict=True):
        for clip, each in zip(of, inputs, strict=True):
            made = np.concatenate([next(results).outputs[0].reshape(SLICES, -1) for _ in each])
            np.testing.assert_array_equal(made, features(form, clip)[: len(made)])
