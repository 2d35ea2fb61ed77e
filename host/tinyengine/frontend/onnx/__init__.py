"""ONNX files as .tflite flatbuffers: float32 networks, and quantized ones (QDQ) with the scales that they have."""
