"""tinyengine: int8 neural networks, inference and training, on microcontrollers with 64-512 KB of SRAM."""

import os

# NumPy reads it when it is imported. Its products here are small (a picture that is resized, a layer of the oracle):
# shared out to threads, each of which waits by counting, a picture took 20 times the processor time on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__version__ = "0.1.0"
