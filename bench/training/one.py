"""One training of the accuracy experiments, in a process of its own: a JSON task on the command line, a result out.

The arithmetic decides which sources are compiled (see ``ARITHMETICS``), so it must be known before anything of the
package is imported.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: name -> value of TE_VARIANT (None: the device's own source), residual byte, quantization-aware scaling
ARITHMETICS: dict[str, tuple[int | None, bool, bool]] = {
    "float": (1, False, True),
    "no-qas": (None, False, False),
    "truncating": (2, False, True),
    "stochastic": (None, False, True),
    "residual": (None, True, True),
}


def overlay(variant: int) -> Path:
    """A copy of the kernel library whose updates are replaced; the folder that TINYENGINE_ROOT is to name."""
    root = ROOT / ".cache" / "experiments" / f"variant_{variant}"
    library = root / "lib" / "tinyengine"
    shutil.rmtree(library, ignore_errors=True)
    shutil.copytree(ROOT / "lib" / "tinyengine", library)
    support = library / "src" / "support"
    (support / "te_update.h").rename(support / "te_update_device.h")
    shutil.copy(HERE / "variants" / "te_update.h", support)
    (support / "variant.h").write_text(f"#define TE_VARIANT {variant}\n")
    shutil.copy(ROOT / "platformio.ini", root)
    return root


def train(task: dict[str, Any]) -> dict[str, Any]:
    """Train and measure; ``task`` as accuracy.py writes it."""
    variant, residual, qas = ARITHMETICS[task["arithmetic"]]
    if variant is not None:
        os.environ["TINYENGINE_ROOT"] = str(overlay(variant))
    import importlib

    import numpy as np
    from tinyengine.compiler import CompileOptions, compile_graph
    from tinyengine.frontend.tiny_training import load_tiny_training
    from tinyengine.kernels import backward
    from tinyengine.native import NativeTrainer
    from tinyengine.training.native_fit import Recipe, accuracy, fit
    from tinyengine.training.scheme import UpdateScheme
    from tinyengine.training.split import split

    build = importlib.import_module("tinyengine.native.build")
    build.FLAGS[:] = ["-O3" if flag == "-O2" else flag for flag in build.FLAGS] + ["-march=native"]
    if not qas:
        scaled = backward.scaling
        backward.scaling = lambda layer, bias: (  # the classifier keeps it: its rate is that of all rows
            scaled(layer, bias) if layer.index is None else (scaled(layer, bias) > 0).astype(np.float32)
        )
    graph = load_tiny_training(Path(task["network"]))
    parts = split(graph, task["deepest"])
    scheme = parts.scheme(UpdateScheme("s", task["bias_last"], {int(k): v for k, v in task["weights"].items()}))
    options = CompileOptions(cpu="host", train=scheme, classes=task["classes"], residual=residual)
    trainer = NativeTrainer(compile_graph(parts.tail, options))
    with np.load(task["features"]) as data:
        variants, labels = [data["plain"], data["mirrored"]], data["labels"]
        chosen, held_out = data["train"], data["held_out"]
    before = time.process_time()
    fit(
        trainer,
        [variant[chosen] for variant in variants],
        labels[chosen],
        Recipe(task["rate"], task["epochs"], task["seed"]),
    )
    seconds = time.process_time() - before
    return {"accuracy": accuracy(trainer, variants[0][held_out], labels[held_out]), "seconds": round(seconds, 1)}


if __name__ == "__main__":
    print(json.dumps(train(json.loads(sys.argv[1]))))
