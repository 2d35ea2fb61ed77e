"""Version of the package and state of its checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tinyengine import __version__


def git_state() -> str:
    """Commit of the checkout, ``-dirty`` when it has changes, or why there is none."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "no git checkout"
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--tags"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "git not available"
    return done.stdout.strip() or "no commit"


def describe() -> str:
    """One line: package, version, git state."""
    return f"tinyengine {__version__} ({git_state()})"
