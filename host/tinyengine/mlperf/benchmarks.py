"""The benchmarks of MLPerf Tiny, and what a firmware needs to know of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """``floor``: the least accuracy (of ad: area under the ROC curve) of the closed division; 0: judged elsewhere."""

    name: str
    model: str  # what the firmware answers to ``profile``
    task: str
    metric: str  # accuracy, auc
    floor: float
    value_bytes: int = 1  # of a value of the input on the wire: pixels and int8 features 1, float32 features 4

    @property
    def defines(self) -> tuple[str, ...]:
        """Macros of the firmware."""
        return (f"FW_MLPERF={self.model}", f"FW_MLPERF_VALUE_BYTES={self.value_bytes}")


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark("vww", "vww01", "person detection", "accuracy", 0.80),
        Benchmark("ic", "ic01", "image classification", "accuracy", 0.85),
        Benchmark("kws", "kws01", "keyword spotting", "accuracy", 0.90),
        Benchmark("ad", "ad01", "anomaly detection", "auc", 0.85, value_bytes=4),
        Benchmark("sww", "sww01", "streaming wake word", "accuracy", 0.0),
    )
}
