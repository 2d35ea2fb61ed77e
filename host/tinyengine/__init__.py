"""tinyengine: int8 neural networks, inference and training, on microcontrollers with 64-512 KB of SRAM."""

__version__ = "0.1.0"
