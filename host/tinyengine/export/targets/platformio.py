"""A library for PlatformIO."""

from __future__ import annotations

import json

from tinyengine import __version__
from tinyengine.export.library import Library
from tinyengine.export.targets.base import Files, optimization, plain


def files(library: Library) -> Files:
    building = f"""
In `platformio.ini`:

```ini
lib_deps = symlink:///path/to/{library.name}
```

or copy the folder into the project's `lib`. `examples/main.cpp` is a program.
"""
    manifest = {
        "name": library.name,
        "version": __version__,
        "description": f"Neural networks for the {library.cpu}, compiled by tinyengine",
        "license": "MIT",
        "frameworks": "*",
        "platforms": "*",
        "headers": [f"{network.prefix}.h" for network in library.networks],
        "build": {
            "includeDir": "include",
            "srcDir": "src",
            "flags": ["-std=c11", optimization(library), "-ffp-contract=off"],
        },
    }
    return plain(library, building, main="examples/main.cpp") | {"library.json": json.dumps(manifest, indent=2) + "\n"}
