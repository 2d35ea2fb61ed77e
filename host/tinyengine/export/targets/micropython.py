"""A user C module for MicroPython: what ``USER_C_MODULES`` of its build takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from tinyengine.export.library import Library
from tinyengine.export.python import MODULE, glue
from tinyengine.export.targets.base import Files, compiled_sources, optimization, plain

BUILDING = """
The folder is MicroPython's user module `tinyengine`. With Make (unix, stm32, mimxrt, samd, ...) `USER_C_MODULES` names
the folder that it lies in, with CMake (rp2, esp32) its `micropython.cmake`:

    make -C ports/stm32 BOARD=NUCLEO_H743ZI USER_C_MODULES=.../modules        # this folder is .../modules/NAME
    make -C ports/rp2 USER_C_MODULES=.../modules/NAME/micropython.cmake

Then, on the board:

```python
import tinyengine
net = tinyengine.Network("PREFIX")
out = net.run(buffer)          # bytes of the input; `out` is a view of the output
```

docs/micropython.md of tinyengine has the rest.
"""


def files(library: Library) -> Files:
    own = glue([network.compiled for network in library.networks], images=True)
    library = replace(library, glue=own)
    building = BUILDING.replace("NAME", library.name).replace("PREFIX", library.networks[0].prefix)
    sources = [name for name in compiled_sources(library) if name != f"src/{MODULE}"]
    return plain(library, building, main="") | {
        "micropython.mk": _makefile(library, sources),
        "micropython.cmake": _cmake(library, sources),
    }


def _makefile(library: Library, sources: Sequence[str]) -> str:
    names = "".join(f" \\\n    {PurePosixPath(name).with_suffix('.c')}" for name in sources)
    return f"""# The module tinyengine: make USER_C_MODULES=<the folder that this folder is in>
TINYENGINE_DIR := $(USERMOD_DIR)
SRC_USERMOD_C += $(TINYENGINE_DIR)/src/{MODULE}
CFLAGS_USERMOD += -I$(TINYENGINE_DIR)/include

# Assembly stands here as .c: make finds the .S, which is empty where the core has no use for it.
SRC_USERMOD_LIB_C += $(addprefix $(TINYENGINE_DIR)/,{names})

# Ports compile for size, and may fuse multiplications with additions, after which results depend on the core.
$(BUILD)/$(patsubst $(USER_C_MODULES)/%,%,$(TINYENGINE_DIR))/%.o: CFLAGS += {optimization(library)} -ffp-contract=off
"""


def _cmake(library: Library, sources: Sequence[str]) -> str:
    names = "\n".join(f"    ${{CMAKE_CURRENT_LIST_DIR}}/{name}" for name in sources)
    return f"""# The module tinyengine: USER_C_MODULES=<this file>
# Networks and kernels are a library of their own: ports compile for size, and may fuse multiplications with additions.
enable_language(ASM)
add_library(tinyengine_networks STATIC
{names}
)
target_include_directories(tinyengine_networks PUBLIC ${{CMAKE_CURRENT_LIST_DIR}}/include)
target_compile_options(tinyengine_networks PRIVATE {optimization(library)} -ffp-contract=off)

add_library(usermod_tinyengine INTERFACE)
target_sources(usermod_tinyengine INTERFACE ${{CMAKE_CURRENT_LIST_DIR}}/src/{MODULE})
target_include_directories(usermod_tinyengine INTERFACE ${{CMAKE_CURRENT_LIST_DIR}}/include)
target_link_libraries(usermod_tinyengine INTERFACE tinyengine_networks)
target_link_libraries(usermod INTERFACE usermod_tinyengine)
"""
