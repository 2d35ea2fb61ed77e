"""Ctrl-C during training on a simulated board, in batches with momentum: the board holds what whole batches give."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from tinyengine import sim
from tinyengine.boards import load
from tinyengine.cli.training_options import read_inputs
from tinyengine.data.numbers import Windows
from tinyengine.data.samples import split
from tinyengine.device import open_device
from tinyengine.device.training import DeviceTrainer
from tinyengine.finetune.session import TuneOptions, fine_tune
from tinyengine.native import NativeTrainer
from tinyengine.progress import silent
from tinyengine.step import Sample, Update

from tests.helpers.firmware_image import compiled
from tests.helpers.trained_network import compile_trainable, random_input, write_model, write_pictures

BOARD = "sim_stm32f405"
BATCH = 4
OPTIONS = {"rate": 0.02, "epochs": 10_000.0, "momentum": 0.9, "batch": BATCH}


def interrupted_session(url: str, pictures: Path) -> dict:
    """The report of a ``train`` that is stopped in the middle of its steps; it may take long to begin."""
    for seconds in (5, 10, 20, 40):
        report = stopped_after(seconds, url, pictures)
        if report is not None and report["losses"]:
            return report
    raise AssertionError("no step in 40 seconds")


def stopped_after(seconds: float, url: str, pictures: Path) -> dict | None:
    """The report of a ``train`` that is stopped after a while, None where it had not begun."""
    options = ["--lr", OPTIONS["rate"], "--epochs", OPTIONS["epochs"], "--momentum", OPTIONS["momentum"]]
    command = [
        "train",
        "--port",
        url,
        "--data",
        pictures,
        "--validate-split",
        0.5,
        "--batch",
        BATCH,
        *options,
        "--json",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tinyengine", *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    return json.loads(out) if out.strip() else None


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_stopped_session_leaves_whole_batches(tmp_path: Path) -> None:
    assert threading.current_thread() is threading.main_thread()
    model = compile_trainable(write_model(tmp_path / "tiny.tflite"), load(BOARD).cpu, velocity=True)
    pictures = write_pictures(tmp_path / "pictures", 6)
    with sim.start(BOARD, compiled(BOARD, tmp_path, model)) as simulation:
        report = interrupted_session(simulation.url, pictures)
        with open_device(simulation.url) as device:
            trainer = DeviceTrainer(device)
            info, state = trainer.info(), trainer.read_state()
            samples = read_inputs(pictures, device, device.identity.metadata, Windows(), silent)
            after = trainer.step(random_input(1), Sample(0, 3), Update(0.05, 1))
    assert report["interrupted"] and info.complete
    assert info.steps == report["steps"] == report["device"]["steps"] == len(report["losses"]) > 0
    assert info.state_crc == report["device"]["state_crc"] == zlib.crc32(state)

    here = NativeTrainer(model)
    train, held_out = split(samples, 0.5, 0)
    steps = 0

    def stop() -> bool:
        return steps >= info.steps

    def count(what: str, done: int, total: int, figures: str = "") -> None:
        nonlocal steps
        steps += what == "training"

    again = fine_tune(here, train, held_out, TuneOptions(classes=3, **OPTIONS), count, stop)
    assert again.losses == report["losses"]
    assert here.state == state
    assert after.loss == here.step(random_input(1), Sample(0, 3), Update(0.05, 1)).loss
