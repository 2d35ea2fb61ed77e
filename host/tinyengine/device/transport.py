"""Byte pipes to a device: serial ports by pyserial, TCP sockets, simulated boards. All behave alike.

A URL is anything pyserial takes (``/dev/ttyACM0``, ``COM3``, a pty, ``rfc2217://host:port``, ``socket://host:port``),
or ``sim:<board>``, which starts a simulator.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import serial
from serial.tools import list_ports

from tinyengine.device.errors import LinkLostError, NoAnswerError, PortAccessError, PortNotFoundError
from tinyengine.device.simulated_camera import seen

DEFAULT_BAUD = 115200


class Transport(Protocol):
    """What the client needs of a connection."""

    @property
    def url(self) -> str:
        """Where it leads, for messages."""

    @property
    def baud(self) -> int:
        """Bits per second now; 10 bits carry a byte."""

    def read(self, timeout: float) -> bytes:
        """What has arrived; waits up to ``timeout`` seconds for a first byte, then returns b"" if there is none."""

    def write(self, data: bytes) -> None:
        """Hands over all of ``data``."""

    def set_baud(self, rate: int) -> None:
        """Changes the rate of our side once everything has left; ValueError if our port cannot."""

    def close(self) -> None:
        """Releases the port."""


class SerialTransport:
    """A port opened by pyserial."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._port = serial.serial_for_url(
                url, baudrate=DEFAULT_BAUD, timeout=0.02, write_timeout=10, exclusive=_exclusive(url)
            )
        except (serial.SerialException, OSError, ValueError) as error:
            raise port_error(url, error) from error

    @property
    def url(self) -> str:
        return self._url

    @property
    def baud(self) -> int:
        return self._port.baudrate

    def read(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        try:
            while True:
                data = self._port.read(max(1, self._port.in_waiting))  # waits the port's own 20 ms at most
                if data or time.monotonic() >= deadline:
                    return data
        except (serial.SerialException, OSError) as error:
            raise connection_lost(self._url) from error

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise connection_lost(self._url) from error

    def set_baud(self, rate: int) -> None:
        old = self._port.baudrate
        try:
            self._port.flush()
            self._port.baudrate = rate
        except (serial.SerialException, OSError, ValueError) as error:
            with contextlib.suppress(serial.SerialException, OSError, ValueError):
                self._port.baudrate = old
            raise ValueError(f"{self._url} cannot run at {rate} baud") from error

    def close(self) -> None:
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()


class SocketTransport:
    """A raw TCP connection, ``socket://host:port``: simulators and serial servers. It has no rate of its own; the one
    that is set is only remembered."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._baud = DEFAULT_BAUD
        try:
            host, port = url.removeprefix("socket://").split("/")[0].rsplit(":", 1)
            number = int(port)
        except ValueError as error:
            raise PortNotFoundError(f"{url} is not an address: write socket://host:port") from error
        try:
            self._socket = socket.create_connection((host, number), timeout=5)
        except OSError as error:
            raise PortNotFoundError(
                f"nobody listens at {url}: start the simulator or the serial server first"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def url(self) -> str:
        return self._url

    @property
    def baud(self) -> int:
        return self._baud

    def read(self, timeout: float) -> bytes:
        self._socket.settimeout(max(timeout, 1e-4))
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return b""
        except OSError as error:
            raise connection_lost(self._url) from error
        if not data:
            raise connection_lost(self._url)
        return data

    def write(self, data: bytes) -> None:
        self._socket.settimeout(30)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise connection_lost(self._url) from error

    def set_baud(self, rate: int) -> None:
        self._baud = rate

    def close(self) -> None:
        self._socket.close()


def open_transport(url: str) -> Transport:
    """Open an existing port (not ``sim:``). Raises PortNotFoundError or PortAccessError."""
    return SocketTransport(url) if url.startswith("socket://") else SerialTransport(url)


@contextlib.contextmanager
def open_port(
    url: str,
    elf: Path | None = None,
    simulator: str | None = None,
    flash: Path | None = None,
    pictures: Path | None = None,
) -> Iterator[Transport]:
    """Open a port for a ``with`` block. ``sim:<board>`` starts that board's simulator (with ``elf``, or the firmware
    built last; ``flash`` is the file that keeps its saved state, ``pictures`` what its camera sees) and stops it at the
    end."""
    if url.startswith("sim:"):
        from tinyengine import sim  # only this needs QEMU or Renode

        with (
            seen(pictures) as camera,
            sim.start(url.removeprefix("sim:"), elf=elf, simulator=simulator, flash=flash, camera=camera) as simulation,
        ):
            try:
                with contextlib.closing(open_transport(simulation.url)) as transport:
                    yield transport
            except (LinkLostError, NoAnswerError):
                simulation.check()  # it knows better why
                raise
    elif flash is not None:
        raise PortNotFoundError(f"{url} is no simulated board, so it takes no flash file: leave --flash-file out")
    elif pictures is not None:
        raise PortNotFoundError(f"{url} is no simulated board, its camera sees what there is: leave --pictures out")
    else:
        with contextlib.closing(open_transport(url)) as transport:
            yield transport


def port_names() -> list[str]:
    """The serial ports of this computer."""
    return [port.device for port in list_ports.comports()]


def _exclusive(url: str) -> bool | None:
    """Lock the port against a second program where the operating system has such locks."""
    return True if sys.platform != "win32" and "://" not in url else None


def port_error(url: str, error: Exception) -> PortNotFoundError | PortAccessError:
    """What is wrong with a port that pyserial could not open."""
    number = getattr(error, "errno", None)
    text = str(error).lower()
    # pyserial wraps Windows' errors as text only
    if number == errno.EACCES or "permission" in text or "access is denied" in text:
        if sys.platform == "linux":
            way = "add yourself to its group (usually 'sudo usermod -aG dialout $USER', then log in again)"
        else:
            way = "close the other program that uses it"
        return PortAccessError(f"you may not open {url}: {way}")
    if number in (errno.EBUSY, errno.EAGAIN) or "lock" in text or "busy" in text:
        return PortAccessError(f"{url} is in use: close the other program (a serial monitor?) that has it open")
    ports = port_names()
    there = f"the ports are {', '.join(ports)}" if ports else "no serial port is connected"
    return PortNotFoundError(f"there is no port {url}: {there}; sim:<board> names a simulated board")


def connection_lost(url: str) -> LinkLostError:
    """What is wrong with a port that was open."""
    return LinkLostError(f"the connection to {url} broke: was the board unplugged or the simulator stopped?")
