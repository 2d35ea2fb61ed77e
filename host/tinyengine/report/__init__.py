"""Figures for people: tables, and whether a network fits a board."""

from tinyengine.report.compile import compile_table, fit, measure_code

__all__ = ["compile_table", "fit", "measure_code"]
