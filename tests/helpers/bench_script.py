"""The scripts in bench/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tinyengine.paths import project_root


def load(name: str = "run") -> ModuleType:
    """Import bench/``name``.py from its file: bench/ is not a package."""
    folder = project_root() / "bench"
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # the scripts import each other
    spec = importlib.util.spec_from_file_location(f"bench_{name}", folder / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
