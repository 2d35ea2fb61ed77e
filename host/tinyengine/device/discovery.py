"""Which serial ports there are, and which boards answer at them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from serial.tools import list_ports

from tinyengine.device.client import Device, Identity
from tinyengine.device.transport import open_transport
from tinyengine.errors import DeviceError
from tinyengine.progress import Say, silent


@dataclass(frozen=True)
class FoundPort:
    """A serial port. ``identity`` is set where our firmware answered, ``problem`` says why it did not elsewhere."""

    port: str
    description: str
    usb: bool
    identity: Identity | None = None
    problem: str = ""

    def report(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def list_devices(ask: bool = True, say: Say = silent) -> list[FoundPort]:
    """All ports; with ``ask`` every USB port is opened (all at the same time) and asked who is there.

    Other ports (Bluetooth, built-in) are left alone: opening some of them hangs or disturbs what is connected.
    """
    ports = sorted(list_ports.comports(), key=lambda port: port.device)
    plain = [FoundPort(p.device, p.description or "", p.vid is not None) for p in ports]
    asked = [port for port in plain if port.usb] if ask else []
    if asked:
        say(f"asking at {', '.join(port.port for port in asked)}")
        with ThreadPoolExecutor(len(asked)) as pool:
            answers = dict(zip((port.port for port in asked), pool.map(_ask, asked), strict=True))
        return [answers.get(port.port, port) for port in plain]
    return plain


def _ask(port: FoundPort) -> FoundPort:
    try:
        transport = open_transport(port.port)
        try:
            return FoundPort(port.port, port.description, port.usb, Device.connect(transport).identity)
        finally:
            transport.close()
    except DeviceError as error:
        return FoundPort(port.port, port.description, port.usb, None, str(error))
