"""An estimate of Cortex-M4 cycles: every executed block counted in QEMU, every instruction timed as documented."""

from tinyengine.measure.cycles.estimate import CORE, CycleEstimate, estimate_cycles

__all__ = ["CORE", "CycleEstimate", "estimate_cycles"]
