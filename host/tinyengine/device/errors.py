"""What can go wrong between the host and a device; every message is the sentence shown to the user."""

from __future__ import annotations

from tinyengine.errors import DeviceError


class PortNotFoundError(DeviceError):
    """There is no such port."""


class PortAccessError(DeviceError):
    """The port exists, but may not be opened (permissions, or somebody else has it)."""


class NoAnswerError(DeviceError):
    """Nothing comes back."""


class ForeignFirmwareError(DeviceError):
    """Something comes back, but it does not speak this protocol."""


class ProtocolVersionError(DeviceError):
    """The firmware speaks other versions of the protocol."""


class ModelMismatchError(DeviceError):
    """The device runs another network than the one expected."""


class LinkLostError(DeviceError):
    """The device answered before, but no longer does, or too much of what arrives is damaged."""


class FaultError(DeviceError):
    """The firmware has come upon a fault, said so, and restarted."""


class RestartedError(DeviceError):
    """The device has forgotten the session: it was reset, or another host has taken over."""


class BlindError(DeviceError):
    """The board's own camera delivers no picture."""


class RefusedError(DeviceError):
    """The device understood a request and refused it; ``status`` says why."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status
