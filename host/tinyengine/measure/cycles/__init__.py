"""An estimate of cycles: every executed block counted in QEMU, every instruction timed as documented."""

from tinyengine.measure.cycles.estimate import CycleEstimate, estimate_cycles, timings

__all__ = ["CycleEstimate", "estimate_cycles", "timings"]
