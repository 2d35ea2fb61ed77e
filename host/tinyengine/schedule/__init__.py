"""Which operators run together, and in what order."""

from tinyengine.schedule.stages import Stage, StageKind, calls_of, schedule

__all__ = ["Stage", "StageKind", "calls_of", "schedule"]
