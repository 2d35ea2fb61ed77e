"""A library for Arduino: everything in ``src``, which is the only include path, and no compiler flags of its own."""

from __future__ import annotations

from tinyengine import __version__
from tinyengine.export.example import functions
from tinyengine.export.library import Library
from tinyengine.export.targets.base import Files, plain

NO_FLAGS = """/* An Arduino library has no flags: what -ffp-contract=off would say. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#endif

"""


def files(library: Library) -> Files:
    building = f"""
Copy this folder to the `libraries` folder of your sketches, as `{library.name}`; then `File`, `Examples`,
`{library.name}`, `Run` is a sketch. The board must have a {library.cpu}, or a core that executes its code.
"""
    out = plain(library, building, headers="src", main="")
    for name, text in out.items():
        if name.endswith(".c"):
            assert isinstance(text, str)
            out[name] = NO_FLAGS + text
    return out | {"library.properties": _properties(library), "examples/Run/Run.ino": _sketch(library)}


def _properties(library: Library) -> str:
    lines = {
        "name": library.name,
        "version": __version__,
        "author": "The tinyengine authors",
        "maintainer": "The tinyengine authors",
        "sentence": f"Neural networks for the {library.cpu}.",
        "paragraph": "Compiled to C by tinyengine: no interpreter, nothing is allocated.",
        "category": "Data Processing",
        "url": "https://arduino.github.io/arduino-cli/latest/library-specification/",
        "architectures": "*",
        "includes": ",".join(f"{network.prefix}.h" for network in library.networks),
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def _sketch(library: Library) -> str:
    includes = "\n".join(f"#include <{network.prefix}.h>" for network in library.networks)
    calls = "\n".join(
        f'    Serial.print("{network.prefix}: ");\n    Serial.println(run_{network.prefix}());'
        for network in library.networks
    )
    return f"""// Runs every network once a second, on an input of zeros.
{includes}
#include <string.h>

{functions(library)}
void setup() {{
    Serial.begin(115200);
}}

void loop() {{
{calls}
    delay(1000);
}}
"""
