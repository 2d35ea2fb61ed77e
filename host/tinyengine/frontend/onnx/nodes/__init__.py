"""ONNX's nodes, one function each, to operators of the IR: importing this registers them."""

from tinyengine.frontend.onnx.nodes import elementwise, layers, movement, scales, windows  # noqa: F401
