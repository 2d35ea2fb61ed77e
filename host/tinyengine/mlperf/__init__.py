"""MLPerf Tiny: its benchmarks, and a client that performs them as its runner does; see docs/mlperf.md."""
