"""From a schedule with addresses to C."""

from tinyengine.codegen.network import NetworkSource, generate

__all__ = ["NetworkSource", "generate"]
