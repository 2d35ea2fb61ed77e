"""The demonstration behind scripts/demo: a simulated board judges photographs, learns to tell faces, tells a tale.

It only runs the commands that a user would type, and shows them.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tinyengine.errors import TinyEngineError, ToolError
from tinyengine.paths import cache_dir, project_root, replacing

BOARD = "sim_stm32f405"
MODEL, LARGER, FINDER = (Path("models") / f"person_{name}.tflite" for name in ("tiny", "small", "boxes"))

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
            with replacing(path) as partial:
                Image.fromarray(picture).save(partial, format="PNG")
    return paths


# Of each class: shown once in training, and held out. scikit-image ships 100 of each, cut from
# "Labeled Faces in the Wild": 25x25 pixels, gray, faces first.
SHOWN, HELD_OUT = 50, 20
SCHEME = Path("models") / "person_tiny.scheme.json"
LEARNING_RATE = 0.04


def save_faces(folder: Path) -> tuple[Path, Path]:
    """Write the pictures to learn from and those held out as PNG, a subfolder per class; returns the two folders."""
    train, held_out = folder / "train", folder / "held_out"
    if not folder.is_dir():
        try:
            from skimage import data
        except ImportError as error:
            raise ToolError("the faces come with scikit-image: run 'pip install -e .[demo]'") from error
        pictures = np.round(data.lfw_subset() * 255).astype(np.uint8)
        order = np.random.default_rng(0)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            for name, first in (("face", 0), ("no_face", 100)):
                chosen = first + order.permutation(100)[: SHOWN + HELD_OUT]
                for part, indices in ((train, chosen[:SHOWN]), (held_out, chosen[SHOWN:])):
                    target = Path(scratch) / folder.name / part.name / name
                    target.mkdir(parents=True)
                    for index in indices:
                        Image.fromarray(pictures[index]).save(target / f"{index:03}.png")
            (Path(scratch) / folder.name).replace(folder)
    return train, held_out


def tinyengine(*arguments: str) -> None:
    """Show and run one command of ours. Raises ToolError when it fails; it has then said why."""
    print(f"\n$ tinyengine {shlex.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "tinyengine", *arguments], cwd=project_root(), check=False)
    if done.returncode:
        raise ToolError(f"the demonstration ended because 'tinyengine {arguments[0]}' failed, see above")


def judge() -> None:
    """First act: build the person detectors for the simulated STM32F405 and let them judge the photographs; one says
    where somebody is."""
    root, folder = project_root(), cache_dir() / "demo"
    photographs = [str(path.relative_to(root)) for path in save_photographs(folder)]
    drawn = folder / "boxes"
    tinyengine("build", FINDER.as_posix(), "--board", BOARD, "--input", "rows", "--optimize", "sram")
    tinyengine("infer", *photographs, "--port", f"sim:{BOARD}", "--draw", str(drawn.relative_to(root)))
    say(f"The boxes are drawn in {drawn.relative_to(root)}. Two others only say whether somebody is there:")
    for model in (LARGER, MODEL):
        tinyengine("build", model.as_posix(), "--board", BOARD)
        tinyengine("infer", *photographs, "--port", f"sim:{BOARD}")


def learn() -> None:
    """Second act: the board learns another task over its serial port, and still knows it after a power cycle."""
    root, folder = project_root(), cache_dir() / "demo"
    train, held_out = (str(path.relative_to(root)) for path in save_faces(folder / "faces"))
    flash = folder / "flash.bin"
    flash.unlink(missing_ok=True)
    board = ("--port", f"sim:{BOARD}", "--flash-file", str(flash.relative_to(root)), "--color", "luma")
    say("Now the same board learns something else: faces or not, from 100 pictures, each shown once.")
    trained = ("--train", SCHEME.as_posix(), "--classes", "2")
    tinyengine("build", MODEL.as_posix(), "--board", BOARD, *trained)
    how = ("--epochs", "1", "--lr", str(LEARNING_RATE), "--save")
    tinyengine("train", "--data", train, "--validate", held_out, *how, *board)
    say("The simulator has ended: power off. Another one starts with the same flash.")
    tinyengine("eval", "--data", held_out, *board)


TALES = Path("models") / "tales.lm"
BEGINNING = "Once upon a time there was a brave mouse named"
TOKENS, SEED = 200, 7
"""Of the tale, which ends by itself before that."""


def tell() -> None:
    """Third act: another firmware on the same board goes on with a tale, word by word over its serial port."""
    say("Now the board tells a tale, with a language model of ours that fits its flash.")
    tinyengine("build", TALES.as_posix(), "--board", BOARD)
    how = ("--tokens", str(TOKENS), "--seed", str(SEED))
    tinyengine("generate", "--port", f"sim:{BOARD}", "--prompt", BEGINNING, *how)


def say(sentence: str) -> None:
    """A sentence between commands."""
    print(f"\n{sentence}", flush=True)


def run() -> None:
    """All three acts."""
    judge()
    learn()
    tell()


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
