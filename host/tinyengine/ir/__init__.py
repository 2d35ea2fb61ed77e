"""The intermediate representation: graphs of int8 operators with explicit shapes and quantization."""

from tinyengine.ir.graph import Graph, Operator, Port, Quantization, State, Tensor
from tinyengine.ir.ops import Activation, OpKind

__all__ = ["Activation", "Graph", "OpKind", "Operator", "Port", "Quantization", "State", "Tensor"]
