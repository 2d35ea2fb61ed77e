"""What lies in the arena during a step."""

from __future__ import annotations

from dataclasses import dataclass

from tinyengine.memory.lifetime import Buffer


@dataclass(frozen=True)
class Resident:
    """A buffer that is alive in some step, at its address in the arena."""

    buffer: Buffer
    address: int

    @property
    def end(self) -> int:
        return self.address + self.buffer.size


@dataclass(frozen=True)
class StepUsage:
    """What the arena holds during one step; residents sorted by address.

    ``bytes_used`` counts the bytes that belong to at least one resident (an overlapped byte once, padding and holes
    not at all), ``activation_bytes`` the same for tensors, and for what the call keeps of their values in its scratch
    memory (rings of rows, windows of patches, running sums).
    """

    index: int
    name: str
    residents: tuple[Resident, ...]
    bytes_used: int
    activation_bytes: int
