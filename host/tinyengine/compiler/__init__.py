"""The compiler: a model file in, C sources out."""

from tinyengine.compiler.flow import compile_graph, compile_language, compile_model, prepare
from tinyengine.compiler.identity import model_hashes
from tinyengine.compiler.options import CompileOptions
from tinyengine.compiler.result import CompiledModel
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.onnx.file import axes_of_ports

__all__ = [
    "CompileOptions",
    "CompiledModel",
    "axes_of_ports",
    "compile_graph",
    "compile_language",
    "compile_model",
    "model_hashes",
    "network_bytes",
    "prepare",
]
