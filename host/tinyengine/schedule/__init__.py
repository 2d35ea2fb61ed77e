"""Which operators run together, and in what order."""

from tinyengine.schedule.search import Schedule, schedule

__all__ = ["Schedule", "schedule"]
