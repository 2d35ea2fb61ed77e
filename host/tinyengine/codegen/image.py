"""``<prefix>_image.h``: how a picture becomes the input of a network, for te_image.h."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from tinyengine.codegen.values import LINE_WIDTH, scalar


@dataclass(frozen=True)
class ImageInput:
    """The fields of te_image_input, by their names. ``values``: int8 of the input for each of 256 pixel values."""

    width: int
    height: int
    channels: int
    luma: bool
    nearest: bool
    center: bool
    values: tuple[int, ...]


def image_header(prefix: str, image: ImageInput) -> str:
    """The header; its constant is static, so that a program which does not include it does not hold it."""
    name = f"{prefix.upper()}_IMAGE"
    numbers = ", ".join(scalar(value) for field, value in vars(image).items() if field != "values")
    names = ", ".join(field for field in vars(image) if field != "values")
    values = textwrap.indent(textwrap.fill(", ".join(map(str, image.values)), LINE_WIDTH - 8), " " * 8)
    body = f"    {numbers}, /* {names} */\n    {{\n{values},\n    }},\n"
    return (
        f'#ifndef {name}_H\n#define {name}_H\n\n#include "tinyengine/te_image.h"\n\n'
        f"#define {name}_WIDTH {image.width}u\n#define {name}_HEIGHT {image.height}u\n\n"
        f"static const te_image_input {prefix}_image = {{\n{body}}};\n\n#endif\n"
    )
