"""The benchmarks of MLPerf Tiny, and what a firmware needs to know of each."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from tinyengine.errors import ModelError
from tinyengine.ir import Graph


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

    def accept(self, graph: Graph) -> None:
        """ModelError where the firmware could not give the network this benchmark's inputs or read its output."""
        inputs, outputs = ([graph.tensors[port.tensor] for port in ports] for ports in (graph.inputs, graph.outputs))
        if [x.dtype for x in inputs] != ["int8"] or len(outputs) != 1 or outputs[0].dtype not in ("int8", "float32"):
            raise ModelError(
                f"networks of {self.name} have one input of int8 and one output of int8 or float32, {graph.name} has "
                "others: leave --mlperf out, and measure it with 'tinyengine bench'"
            )
        if self.metric == "auc" and prod(inputs[0].shape) != prod(outputs[0].shape):
            raise ModelError(
                f"networks of {self.name} give back as many values as they get, {graph.name} does not: leave --mlperf "
                "out, or name the network's own benchmark"
            )


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
