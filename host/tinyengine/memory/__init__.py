"""The arena: lifetimes, overlap rules, addresses, and the replay that proves them."""

from tinyengine.memory.error import PlacementError
from tinyengine.memory.lifetime import Buffer, Lifetimes, OverlapRule, lifetimes, scratch_name
from tinyengine.memory.placement import Placement, lower_bound, place
from tinyengine.memory.plan import MemoryPlan, plan
from tinyengine.memory.replay import replay
from tinyengine.memory.usage import StepUsage

__all__ = [
    "Buffer",
    "Lifetimes",
    "MemoryPlan",
    "OverlapRule",
    "Placement",
    "PlacementError",
    "StepUsage",
    "lifetimes",
    "lower_bound",
    "place",
    "plan",
    "replay",
    "scratch_name",
]
