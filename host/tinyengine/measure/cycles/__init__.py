"""An estimate of cycles: every executed block counted in QEMU, every instruction timed by a model of the core."""

from tinyengine.measure.cycles.estimate import CycleEstimate, estimate_cycles, timings
from tinyengine.measure.cycles.instructions import Cycles

__all__ = ["CycleEstimate", "Cycles", "estimate_cycles", "timings"]
