"""Trainings of the accuracy experiments under one scheme and one arithmetic, in a process of their own.

The scheme is the argument (JSON, as accuracy.py writes it), trainings are lines of JSON: tasks on stdin, results on
stdout. The arithmetic decides which sources are compiled, so it must be known before anything is compiled; each
training runs in a fork of this process, so that it starts from the factory state whatever an arithmetic keeps besides.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sets import tuning_parts
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph
from tinyengine.data.samples import Samples
from tinyengine.finetune import session
from tinyengine.frontend.tiny_training import load_tiny_training
from tinyengine.kernels.training import backward
from tinyengine.native import NativeTrainer
from tinyengine.step import Sample, Update
from tinyengine.training.scheme import UpdateScheme
from tinyengine.training.split import split

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CLASSES = 10  # outputs of the classifier; sets with fewer classes leave the others out of the softmax
SRAM = 400_000  # room for larger blocks: faster, the same bytes
CHECKED_STEPS = 12


@dataclass(frozen=True)
class Arithmetic:
    """``variant``: value of TE_VARIANT, None for the device's own source. ``qas``: which layers' updates are scaled:
    all, only the classifier's ("head"), or none."""

    variant: int | None = None
    residual: bool = False
    qas: str = "all"


ARITHMETICS = {
    "float": Arithmetic(variant=1),
    "stochastic": Arithmetic(),
    "residual": Arithmetic(residual=True),
    "truncating": Arithmetic(variant=2),
    "no-qas": Arithmetic(qas="head"),
    "no-qas-at-all": Arithmetic(qas="none"),
}


@dataclass(frozen=True)
class Task:
    """One training. ``tuning``: measured on the validation part."""

    set: str
    scheme: str
    arithmetic: str
    rate: float
    seed: int
    epochs: float
    tuning: bool

    @property
    def key(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


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


def compiled(request: dict[str, Any], arithmetic: Arithmetic) -> CompiledModel:
    """The step of the tail behind the features, ready for the native compiler."""
    if arithmetic.qas != "all":
        scaled = backward.scaling
        backward.scaling = lambda layer, bias: (
            scaled(layer, bias)
            if layer.index is None and arithmetic.qas == "head"
            else (scaled(layer, bias) > 0).astype(np.float32)
        )
    parts = split(load_tiny_training(Path(request["network"])), request["bias_last"])
    scheme = UpdateScheme("s", request["bias_last"], {int(k): v for k, v in request["weights"].items()})
    options = CompileOptions(train=parts.scheme(scheme), classes=CLASSES, residual=arithmetic.residual)
    return compile_graph(parts.tail, replace(options, sram=SRAM))


def check(model: CompiledModel, trainer: NativeTrainer, inputs: np.ndarray, labels: np.ndarray) -> None:
    """The fast build leaves the same bytes as the portable kernels, step by step."""
    portable = NativeTrainer(model)
    for step in range(CHECKED_STEPS):
        for each in (portable, trainer):
            each.step(inputs[step], Sample(int(labels[step]), each.classes), Update(0.01, 1, step))
        if portable.state != trainer.state:
            raise SystemExit(f"the fast native kernels differ from the portable ones after {step + 1} steps")


def train(trainer: NativeTrainer, task: Task, data: dict[str, np.ndarray]) -> dict[str, float]:
    """Train and measure."""
    variants, labels = [data["plain"], data["mirrored"]], data["labels"]
    classes = int(labels.max()) + 1
    chosen, held_out = tuning_parts(data["train"]) if task.tuning else (data["train"], data["test"])
    before = time.process_time()
    options = session.TuneOptions(classes, task.epochs, task.rate, seed=task.seed)
    for _ in session.train(trainer, [variant[chosen] for variant in variants], labels[chosen], options):
        pass
    judged = Samples(variants[0][held_out], labels[held_out], tuple(map(str, range(classes))))
    reached = session.evaluate(trainer, judged, classes).accuracy
    return {"accuracy": reached, "seconds": round(time.process_time() - before, 2)}


def forked(function: Callable[..., Any], *arguments: object) -> Any:
    """What the function returns in a fork of this process; EOFError if it fails there."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(function(*arguments)))
    child.start()
    sender.close()
    result = receiver.recv()
    child.join()
    return result


def main() -> None:
    request = json.loads(sys.argv[1])
    arithmetic = ARITHMETICS[request["arithmetic"]]
    if arithmetic.variant is not None:
        os.environ["TINYENGINE_ROOT"] = str(overlay(arithmetic.variant))
    model = compiled(request, arithmetic)
    trainer = NativeTrainer(model, fast=True)
    sets: dict[str, dict[str, np.ndarray]] = {}
    for line in sys.stdin:
        entry = json.loads(line)
        task = Task(**entry["task"])
        if task.set not in sets:
            with np.load(entry["features"]) as archive:
                sets[task.set] = dict(archive)
            if len(sets) == 1:
                forked(check, model, trainer, sets[task.set]["plain"], sets[task.set]["labels"])
        result = forked(train, trainer, task, sets[task.set])
        print(json.dumps({"key": task.key, **result}), flush=True)


if __name__ == "__main__":
    main()
