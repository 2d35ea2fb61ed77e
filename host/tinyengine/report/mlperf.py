"""What ``mlperf`` found, for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from tinyengine.mlperf.benchmarks import Benchmark
from tinyengine.mlperf.perform import Accuracy, Performance


def mlperf_report(
    device: str, benchmark: Benchmark, performance: Performance | None, accuracy: Accuracy | None
) -> dict[str, Any]:
    """Plain JSON values."""
    data: dict[str, Any] = {"device": device, "benchmark": benchmark.name, "model": benchmark.model}
    if performance:
        data["performance"] = {
            "inferences_per_second": performance.median,
            "of_each_input": list(performance.rates),
            "runs": list(performance.runs),
        }
    if accuracy:
        data["accuracy"] = {
            "metric": benchmark.metric,
            "score": accuracy.score,
            "floor": benchmark.floor,
            "passed": accuracy.score >= benchmark.floor,
            "samples": accuracy.samples,
            "answers": list(accuracy.answers),
        }
    return data


def mlperf_lines(
    device: str, benchmark: Benchmark, performance: Performance | None, accuracy: Accuracy | None
) -> Table:
    """The same as a small table."""
    table = Table(show_header=False, title=f"{benchmark.model} ({benchmark.task}) on {device}")
    if performance:
        table.add_row(
            "performance", f"{performance.median:,.2f} inferences per second, median of {len(performance.rates)}"
        )
        table.add_row("", ", ".join(f"{each:,.2f}" for each in performance.rates))
    if accuracy:
        score = f"{accuracy.score:.3f}" if benchmark.metric == "auc" else f"{accuracy.score:.1%}"
        floor = f"{benchmark.floor:.2f}" if benchmark.metric == "auc" else f"{benchmark.floor:.0%}"
        verdict = "reaches" if accuracy.score >= benchmark.floor else "misses"
        judged = f", which {verdict} the floor of {floor}" if benchmark.floor else ""
        table.add_row(benchmark.metric, f"{score} of {accuracy.samples} inputs{judged}")
    return table
