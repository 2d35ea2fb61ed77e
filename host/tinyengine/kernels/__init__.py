"""The kernel library seen from the compiler: packing, scratch, overlap rules, calls."""

from tinyengine.kernels.base import Access, CArray, KernelCall, Overlap, Target

__all__ = ["Access", "CArray", "KernelCall", "Overlap", "Target"]
