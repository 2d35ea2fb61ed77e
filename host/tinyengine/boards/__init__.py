"""Boards: what each has, read from boards/<name>.json."""

from tinyengine.boards.board import Board, Serial, Simulator, Storage, Upload
from tinyengine.boards.registry import load, names

__all__ = ["Board", "Serial", "Simulator", "Storage", "Upload", "load", "names"]
