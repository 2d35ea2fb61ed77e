"""Marks for tests that need programs which a machine may lack."""

from __future__ import annotations

import shutil

import pytest
from tinyengine.measure.target_runner import QEMU
from tinyengine.project.toolchain import has_arm_toolchain

arm_gcc = pytest.mark.skipif(not has_arm_toolchain(), reason="arm-none-eabi-gcc is not installed")
clang = pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
simulated_core = [arm_gcc, pytest.mark.skipif(shutil.which(QEMU) is None, reason="qemu-system-arm is not installed")]
"""What it takes to run code on a simulated Cortex-M."""
