"""Boards: what each has, read from boards/<name>.json or a file of the user's, and what a build is given of it."""

from tinyengine.boards.board import Board, Clock, Flash, Led, Memory, Serial, Simulator, Storage, Upload
from tinyengine.boards.registry import load, names, read

__all__ = [
    "Board",
    "Clock",
    "Flash",
    "Led",
    "Memory",
    "Serial",
    "Simulator",
    "Storage",
    "Upload",
    "load",
    "names",
    "read",
]
