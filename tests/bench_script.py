"""bench/run.py as a module."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tinyengine.paths import project_root


def load() -> ModuleType:
    """Import the script from its file: bench/ is not a package."""
    spec = importlib.util.spec_from_file_location("bench_run", project_root() / "bench" / "run.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
