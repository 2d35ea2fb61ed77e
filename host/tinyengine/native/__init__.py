"""The generated C compiled for the host: the device's exact arithmetic at full speed."""

from tinyengine.native.build import NativeModel, build, build_many, host_compiler, run_many
from tinyengine.native.trainer import NativeTrainer, StepResult

__all__ = ["NativeModel", "NativeTrainer", "StepResult", "build", "build_many", "host_compiler", "run_many"]
