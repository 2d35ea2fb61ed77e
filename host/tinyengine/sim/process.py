"""A simulator's process: its output, its end, and the certainty that it is gone afterwards."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tinyengine.errors import ToolError

SUPERVISOR = Path(__file__).with_name("supervisor.py")
STOP_SECONDS = 5.0


class SimulatorProcess:
    """A running simulator under a supervisor (see supervisor.py), in a session of its own, so that Ctrl-C in the
    terminal reaches only us."""

    def __init__(self, command: Sequence[str], folder: Path | None = None) -> None:
        """Start ``command`` in ``folder``. Raises ToolError when not even the supervisor starts."""
        self.command = list(command)
        self._output = bytearray()
        self._changed = threading.Condition()
        self._ended = False
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SUPERVISOR), *self.command],
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(f"the simulator could not be started: {error.strerror or error}") from error
        self._reader = threading.Thread(target=self._collect, name="simulator output", daemon=True)
        self._reader.start()

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def output(self) -> str:
        """What the simulator and the firmware's semihosting have printed so far."""
        with self._changed:
            return self._output.decode("utf-8", "replace")

    @property
    def returncode(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.poll()

    def wait_for_line(self, *wanted: str, timeout: float) -> str | None:
        """The first line that contains one of ``wanted``; None when the simulator ends or ``timeout`` seconds pass
        before."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                lines = self._output.decode("utf-8", "replace").splitlines(keepends=True)
                whole = [line for line in lines if self._ended or line.endswith("\n")]
                found = next((line for line in whole if any(text in line for text in wanted)), None)
                remaining = deadline - time.monotonic()
                if found is not None or self._ended or remaining <= 0:
                    return found
                self._changed.wait(remaining)

    def wait(self, timeout: float | None = None) -> int | None:
        """Exit status once it has ended, all its output collected; None if ``timeout`` seconds pass before."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._reader.join(STOP_SECONDS)
        return status

    def stop(self) -> None:
        """End the simulator and wait until it is gone. May be called more than once."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # the supervisor kills the simulator, then ends
        if self.wait(STOP_SECONDS) is None:
            self._process.kill()
            self.wait()
        if not self._reader.is_alive():
            self._process.stdout.close()

    def _collect(self) -> None:
        assert self._process.stdout is not None
        while chunk := self._process.stdout.read1(4096):  # type: ignore[attr-defined]
            with self._changed:
                self._output += chunk
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()
