"""The demonstration behind scripts/demo: photographs, a simulated board, the answers.

It only runs the commands that a user would type, and shows them.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tinyengine.errors import TinyEngineError, ToolError
from tinyengine.paths import cache_dir, project_root

BOARD = "sim_stm32f405"
MODEL = Path("models") / "person_tiny.tflite"

# Photographs that scikit-image ships, all in the public domain or CC0.
PHOTOGRAPHS: dict[str, str] = {
    "astronaut": "astronaut",
    "cameraman": "camera",
    "cat": "chelsea",
    "coffee": "coffee",
    "coins": "coins",
    "moon": "moon",
    "motorcycle": "stereo_motorcycle",
    "rocket": "rocket",
}


def save_photographs(folder: Path) -> list[Path]:
    """Write the photographs to ``folder`` as PNG, those that are not there yet; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in PHOTOGRAPHS]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        try:
            from skimage import data
        except ImportError as error:
            raise ToolError("the photographs come with scikit-image: run 'pip install -e .[demo]'") from error
        for path in missing:
            load: Callable[[], np.ndarray | tuple[np.ndarray, ...]] = getattr(data, PHOTOGRAPHS[path.stem])
            picture = load()
            if isinstance(picture, tuple):  # a stereo pair and its depth: the left one
                picture = picture[0]
            unfinished = path.with_suffix(".part")
            Image.fromarray(picture).save(unfinished, format="PNG")
            unfinished.replace(path)
    return paths


def tinyengine(*arguments: str) -> None:
    """Show and run one command of ours. Raises ToolError when it fails; it has then said why."""
    print(f"\n$ tinyengine {shlex.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "tinyengine", *arguments], cwd=project_root(), check=False)
    if done.returncode:
        raise ToolError(f"the demonstration ended because 'tinyengine {arguments[0]}' failed, see above")


def run() -> None:
    """Build the person detector for the simulated STM32F405 and let it judge the photographs."""
    root = project_root()
    photographs = [str(path.relative_to(root)) for path in save_photographs(cache_dir() / "demo")]
    tinyengine("build", MODEL.as_posix(), "--board", BOARD)
    tinyengine("infer", *photographs, "--port", f"sim:{BOARD}")


def main() -> None:
    """Entry point: user errors end in one sentence and exit code 2."""
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(130)
    except TinyEngineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
