"""From model files to the IR."""

from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.tflite import load_tflite, parse_tflite

__all__ = ["load_tflite", "network_bytes", "parse_tflite"]
