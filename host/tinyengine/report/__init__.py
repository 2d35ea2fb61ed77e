"""Figures for people: tables, and whether a network fits a board."""

from tinyengine.report.compile import compile_table, fit, measure_code
from tinyengine.report.storage import storage_report

__all__ = ["compile_table", "fit", "measure_code", "storage_report"]
