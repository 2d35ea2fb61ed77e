"""Networks as libraries for other people's firmware: a folder with all that they need to be compiled there."""

from tinyengine.export.folder import export
from tinyengine.export.library import Library, Network, compile_library
from tinyengine.export.targets import TARGETS

__all__ = ["TARGETS", "Library", "Network", "compile_library", "export"]
