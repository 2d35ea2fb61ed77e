"""The generated C compiled for the host: the device's exact arithmetic at full speed."""

from tinyengine.native.build import NativeModel, build, build_many, host_compiler, run_many
from tinyengine.native.trainer import NativeTrainer

__all__ = ["NativeModel", "NativeTrainer", "build", "build_many", "host_compiler", "run_many"]
