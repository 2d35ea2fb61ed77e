"""Writes short tales, the text of models/tales.lm: ``python -m scripts.tales 1000 --seed 1``.

A tale is a plot (``plots.py``) told about people, places and things that are drawn first (``world.py``) and stay
what they are until it ends. Nothing is taken from anywhere: all words are here.
"""
