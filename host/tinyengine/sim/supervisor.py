"""Runs one command and ends it when whoever started this supervisor is gone.

The parent holds the other end of our standard input. However the parent ends, a killed one included, the operating
system closes it, we read the end of the file and kill the command. The program's output goes where ours goes; its
exit status becomes ours. Runs as a script without the package (python -I -S supervisor.py COMMAND...), which takes
some 20 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def _die_with_parent() -> None:
    """In the command's process, on Linux: be killed when the supervisor is, even by SIGKILL."""
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run ``command`` to its end or the parent's; returns the exit status, 127 if it cannot be started."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the parent decides; its end is what we wait for
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # open and silent: Renode's Monitor ends when its input does
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    except OSError as error:
        print(f"{command[0]}: {error.strerror or error}", file=sys.stderr, flush=True)
        return 127

    def watch() -> None:
        while os.read(0, 1):
            pass
        process.kill()

    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    # os._exit: the watching thread may be inside a read that nothing else ends
    os._exit(main(sys.argv[1:]) & 0xFF)
