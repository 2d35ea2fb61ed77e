"""From float models to int8 networks, with a report on what the conversion cost."""

from tinyengine.convert.convert import ConvertOptions, convert

__all__ = ["ConvertOptions", "convert"]
