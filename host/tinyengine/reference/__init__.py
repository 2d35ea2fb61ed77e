"""The oracle: slow, obvious NumPy execution of the IR, bit-identical to TFLite's reference kernels."""

from tinyengine.reference.executor import Session, execute, run

__all__ = ["Session", "execute", "run"]
