"""From model files to the IR."""

from tinyengine.frontend.tflite import load_tflite, parse_tflite

__all__ = ["load_tflite", "parse_tflite"]
