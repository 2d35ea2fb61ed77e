"""The real firmware with a network in training: what it saves survives the simulator's end; what it must not use is
refused with a sentence."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tinyengine import sim
from tinyengine.compiler import CompileOptions, compile_graph
from tinyengine.device import open_device
from tinyengine.device.training import DeviceTrainer, Storage
from tinyengine.errors import DeviceError
from tinyengine.step import Sample, Update
from tinyengine.training.scheme import UpdateScheme
from tinyengine.zoo.table import Network, parse_blocks

from tests.helpers import firmware_image
from tests.helpers.tiny_networks import tiny_graph

BOARD = "sim_stm32f405"
NETWORK = Network("tiny", 16, 8, parse_blocks("e1c8k3 e4c12k3s2 e3c12k5"), classes=4)
SLOT = 131072


def firmware(folder: Path, ratio: float) -> Path:
    options = CompileOptions(train=UpdateScheme(f"ratio {ratio}", 4, {5: ratio}))
    return firmware_image.compiled(BOARD, folder, compile_graph(tiny_graph(NETWORK, 4, gain=2.0), options))


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return firmware(tmp_path_factory.mktemp("half"), 0.5)


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network under another update scheme."""
    return firmware(tmp_path_factory.mktemp("quarter"), 0.25)


@contextmanager
def powered(elf: Path, flash: Path) -> Iterator[DeviceTrainer]:
    """The board; leaving the block cuts its power."""
    with sim.start(BOARD, elf, flash=flash) as simulation, open_device(simulation.url) as device:
        yield DeviceTrainer(device)


def train(trainer: DeviceTrainer, steps: int) -> bytes:
    """The state after some steps on random pictures."""
    rng = np.random.default_rng(1)
    first = trainer.info().steps
    for step in range(first, first + steps):
        picture = rng.integers(-128, 128, (1, 16, 16, 3), np.int8)
        trainer.step(picture, Sample(step % 4, 4), Update(0.05, 5, step))
    return trainer.read_state()


def test_power_cycles_and_refusals(elf: Path, another: Path, tmp_path: Path) -> None:
    flash = tmp_path / "flash"
    with powered(elf, flash) as trainer:
        factory = trainer.read_state()
        assert trainer.info().storage.outcome is Storage.EMPTY
        saved = train(trainer, 2)
        assert saved != factory
        trainer.name_classes(("mug", "tea"))
        assert trainer.save().generation == 1
        assert train(trainer, 1) != saved  # lost with the power
    with powered(elf, flash) as trainer:
        info = trainer.info()
        assert (info.steps, info.saved, info.storage.outcome) == (2, True, Storage.OK)
        assert trainer.read_state() == saved
        assert info.class_names == ("mug", "tea")
        second = train(trainer, 1)
        trainer.name_classes(("mug", "tea", "tin"))
        assert trainer.save().generation == 2
        trainer.reset()
        assert trainer.read_state() == factory
        assert trainer.info().class_names == ()
        assert trainer.restore().steps == 3
        assert trainer.read_state() == second

    # The newest state is damaged in flash: the one before comes back.
    content = bytearray(flash.read_bytes())
    content[SLOT + 200] ^= 4
    flash.write_bytes(content)
    with powered(elf, flash) as trainer:
        assert trainer.read_state() == saved
        assert trainer.info().storage.fallback
        assert trainer.info().class_names == ("mug", "tea")

    # A foreign firmware: factory state and a sentence; it may save, which replaces one slot.
    with powered(another, flash) as trainer:
        assert trainer.info().storage.outcome is Storage.FOREIGN_MODEL
        assert not trainer.info().saved
        with pytest.raises(DeviceError, match="another network"):
            trainer.restore()
        theirs = train(trainer, 1)
        assert trainer.save().generation == 3
    with powered(elf, flash) as trainer:
        assert trainer.read_state() == saved
    with powered(another, flash) as trainer:
        assert trainer.read_state() == theirs

    # A future format: neither read nor overwritten until it is erased on purpose.
    content = bytearray(flash.read_bytes())
    struct.pack_into("<H", content, 4, 3)
    crc = zlib.crc32(content[:60])
    struct.pack_into("<I", content, 60, crc)
    for mark in (64, 96):
        if content[mark : mark + 4] == b"DONE":
            struct.pack_into("<I", content, mark + 4, crc)
    flash.write_bytes(content)
    with powered(elf, flash) as trainer:
        assert trainer.info().storage.outcome is Storage.OTHER_VERSION
        assert trainer.read_state() == factory
        with pytest.raises(DeviceError):
            trainer.save()
        assert flash.read_bytes() == content
        trainer.forget()
        assert trainer.info().storage.outcome is Storage.EMPTY
        assert trainer.save().generation == 1
    with powered(elf, flash) as trainer:
        assert trainer.read_state() == factory
        assert trainer.info().saved


def test_corruption_of_all_there_is(elf: Path, tmp_path: Path) -> None:
    flash = tmp_path / "flash"
    with powered(elf, flash) as trainer:
        factory = trainer.read_state()
        train(trainer, 1)
        trainer.save()
    content = bytearray(flash.read_bytes())
    content[150] ^= 1
    flash.write_bytes(content)
    with powered(elf, flash) as trainer:
        assert trainer.read_state() == factory
        with pytest.raises(DeviceError, match="damaged"):
            trainer.restore()
