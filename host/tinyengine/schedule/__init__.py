"""Which operators run together, and in what order."""

from tinyengine.schedule.search import Schedule, schedule
from tinyengine.schedule.stages import Stage, StageKind, calls_of

__all__ = ["Schedule", "Stage", "StageKind", "calls_of", "schedule"]
