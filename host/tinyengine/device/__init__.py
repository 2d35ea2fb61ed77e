"""Talking to a device: transports (serial, socket, simulator), framing, the client."""

from tinyengine.device.client import Device, Identity, Inference, LayerProfile, Statistics, TensorInfo, open_device
from tinyengine.device.connection import Timing
from tinyengine.device.transport import Transport, open_port, open_transport, port_names

__all__ = [
    "Device",
    "Identity",
    "Inference",
    "LayerProfile",
    "Statistics",
    "TensorInfo",
    "Timing",
    "Transport",
    "open_device",
    "open_port",
    "open_transport",
    "port_names",
]
