"""The generated C compiled for the host: the device's exact arithmetic at full speed."""

from tinyengine.native.build import NativeModel, build, run_many

__all__ = ["NativeModel", "build", "run_many"]
