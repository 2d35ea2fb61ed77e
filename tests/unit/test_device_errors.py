"""What a user reads when something is wrong with a device: one sentence for each cause."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import serial
from tinyengine.device import Device, Timing, open_device, transport
from tinyengine.device.errors import (
    ForeignFirmwareError,
    LinkLostError,
    ModelMismatchError,
    NoAnswerError,
    PortAccessError,
    PortNotFoundError,
    ProtocolVersionError,
)
from tinyengine.device.framing import Frame, FrameDecoder, Op, Status
from tinyengine.device.transport import SocketTransport, open_transport
from tinyengine.errors import DeviceError

from tests.helpers.native_device import native_device

SHORT = Timing(first=0.1, shortest=0.05, longest=0.2, patience=0.6, busy=1.0, connect=0.8)


@contextlib.contextmanager
def peer(answer: Callable[[bytes], bytes], greeting: bytes = b"") -> Iterator[str]:
    """Somebody at the other end of a socket who answers every piece of data in his own way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)
                while data := connection.recv(4096):
                    connection.sendall(answer(data))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def connect(url: str) -> Device:
    line = SocketTransport(url)
    try:
        return Device.connect(line, SHORT)
    finally:
        line.close()


def one_sentence(error: pytest.ExceptionInfo[DeviceError]) -> str:
    text = str(error.value)
    assert text and "\n" not in text and "Traceback" not in text and len(text) < 300
    return text


def test_nothing_answers() -> None:
    with peer(lambda _: b"") as url, pytest.raises(NoAnswerError) as error:
        connect(url)
    assert "nothing answers" in one_sentence(error)


def test_another_firmware() -> None:
    with peer(lambda _: b"unknown command\r\n> ", b"Boot 1.0\r\n") as url, pytest.raises(ForeignFirmwareError) as error:
        connect(url)
    assert "tinyengine flash" in one_sentence(error)


def test_noise() -> None:
    with peer(lambda data: os.urandom(len(data))) as url, pytest.raises(ForeignFirmwareError):
        connect(url)


def test_an_echo() -> None:
    with peer(lambda data: data) as url, pytest.raises(ForeignFirmwareError) as error:
        connect(url)
    assert "echoes" in one_sentence(error)


def test_another_protocol_in_the_same_frames() -> None:
    decoder = FrameDecoder()

    def answer(data: bytes) -> bytes:
        return b"".join(
            Frame(f.op | 0x80, f.session, f.sequence, b"HUGE" + bytes(10)).encode() for f in decoder.feed(data)
        )

    with peer(answer) as url, pytest.raises(ForeignFirmwareError):
        connect(url)


@pytest.mark.parametrize("length", [0, 3, 24, 40])
def test_answers_that_are_cut_short(length: int) -> None:
    """The handshake is right and every frame is whole, but what follows is less than the protocol says."""
    decoder = FrameDecoder()
    hello = b"TINY" + bytes([1, 1, 1, 3, 4, 4, 0xB8, 0x0B, 0xF4, 1])

    def answer(data: bytes) -> bytes:
        payloads = ((f, hello if f.op == Op.HELLO else b"\1" * length) for f in decoder.feed(data))
        return b"".join(Frame(f.op | 0x80, f.session, f.sequence, payload).encode() for f, payload in payloads)

    with peer(answer) as url, pytest.raises(ForeignFirmwareError) as error:
        connect(url)
    assert "build and flash" in one_sentence(error)


@pytest.mark.parametrize(("span", "advice"), [((2, 3), "update this package"), ((0, 0), "flash the board")])
def test_another_version(span: tuple[int, int], advice: str) -> None:
    decoder = FrameDecoder()

    def answer(data: bytes) -> bytes:
        payload = b"TINY\0" + bytes(span) + bytes([3, 4, 4, 0xB8, 0x0B, 0xF4, 1])
        frames = decoder.feed(data)
        return b"".join(Frame(f.op | 0x80, f.session, f.sequence, payload, Status.VERSION).encode() for f in frames)

    with peer(answer) as url, pytest.raises(ProtocolVersionError) as error:
        connect(url)
    assert advice in one_sentence(error)


def test_the_firmware_refuses_another_version() -> None:
    decoder = FrameDecoder()

    def ask(line: SocketTransport, request: Frame) -> Frame:
        line.write(request.encode())
        while not (answers := list(decoder.feed(line.read(5.0)))):
            pass
        (answer,) = answers
        return answer

    with native_device() as native:
        line = SocketTransport(native.url)
        answer = ask(line, Frame(Op.HELLO, 5, 1, b"TINY\x07\x09"))
        assert answer.status == Status.VERSION
        assert answer.payload[4:7] == bytes([0, 1, 1])
        assert ask(line, Frame(Op.ECHO, 5, 2, b"x")).status == Status.NO_SESSION
        line.close()


def test_another_network() -> None:
    with native_device() as native, pytest.raises(ModelMismatchError) as error:
        line = SocketTransport(native.url)
        try:
            Device.connect(line, models={"ffffffffffffffff"})
        finally:
            line.close()
    assert "by_hand" in one_sentence(error)


def test_the_device_falls_silent() -> None:
    with native_device() as native:
        line = SocketTransport(native.url)
        device = Device.connect(line, SHORT)
        line.read = lambda _timeout: b""  # type: ignore[method-assign]
        with pytest.raises(LinkLostError) as error:
            device.echo(b"?")
        line.close()
    assert "stopped answering" in one_sentence(error)


def test_the_connection_breaks() -> None:
    with native_device() as native:
        line = SocketTransport(native.url)
        device = Device.connect(line, SHORT)
        native.process.kill()
        native.process.wait()
        with pytest.raises(LinkLostError) as error:
            device.echo(b"?")
        line.close()
        native.process.returncode = 0  # it was us
    assert "unplugged" in one_sentence(error)


@pytest.mark.parametrize("url", ["/dev/ttyNOWHERE7", "COM777", "nonsense://x", "socket://127.0.0.1:1", "socket://here"])
def test_no_such_port(url: str) -> None:
    with pytest.raises(PortNotFoundError) as error:
        open_transport(url)
    assert url in one_sentence(error)


def test_the_ports_there_are_get_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "port_names", lambda: ["/dev/ttyACM3", "/dev/ttyUSB0"])
    with pytest.raises(PortNotFoundError, match="/dev/ttyACM3, /dev/ttyUSB0"):
        open_transport("/dev/ttyNOWHERE7")


@pytest.mark.parametrize(
    ("text", "number", "word"),
    [
        ("[Errno 13] could not open port /dev/ttyACM0: Permission denied", 13, "may not open"),
        ("could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)", None, "may not open"),
        ("Could not exclusively lock port /dev/ttyACM0: [Errno 11] unavailable", 11, "in use"),
    ],
)
def test_a_port_that_may_not_be_opened(
    monkeypatch: pytest.MonkeyPatch, text: str, number: int | None, word: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        error = serial.SerialException(text)
        error.errno = number
        raise error

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(PortAccessError, match=word) as error:
        open_transport("/dev/ttyACM0")
    one_sentence(error)


def test_unknown_simulated_board() -> None:
    with pytest.raises(Exception, match="no_such_board") as error, open_device("sim:no_such_board"):
        pass
    assert "\n" not in str(error.value)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals exist on POSIX only")
def test_a_pseudo_terminal_is_a_port_like_any_other() -> None:
    """The pyserial path: the native device behind a pty, pumped by two threads."""
    import pty
    import tty

    with native_device() as native:
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        host, port = native.url.removeprefix("socket://").split(":")
        link = socket.create_connection((host, int(port)))

        def pump(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
            with contextlib.suppress(OSError):
                while data := read(4096):
                    write(data)

        threading.Thread(target=pump, args=(link.recv, lambda d: os.write(ours, d)), daemon=True).start()
        threading.Thread(target=pump, args=(lambda n: os.read(ours, n), link.sendall), daemon=True).start()
        with open_device(os.ttyname(theirs), highest_baud=460_800) as device:
            assert device.identity.board == "native"
            assert device.baud == 460_800
            assert device.echo(bytes(range(256))) == bytes(range(256))
        link.shutdown(socket.SHUT_RDWR)
        os.close(theirs)


def test_nothing_posix_only_is_imported() -> None:
    """Every module of the host side must import on Windows and macOS: none needs what only POSIX has."""
    code = """
import importlib, pkgutil, sys
import click, numpy, PIL.Image, rich.live, rich.progress, serial.tools.list_ports  # these know their platforms
for name in ("termios", "fcntl", "pty", "tty", "grp", "pwd", "resource"):
    sys.modules[name] = None  # from here on importing it fails
import tinyengine
names = [module.name for module in pkgutil.walk_packages(tinyengine.__path__, "tinyengine.")]
for name in names:
    if not name.endswith("__main__"):  # would run
        importlib.import_module(name)
assert "tinyengine.cli.infer" in names and len(names) > 200
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr
