"""A module for Zephyr."""

from __future__ import annotations

from tinyengine.export.library import Library
from tinyengine.export.targets.base import Files, compiled_sources, optimization, plain


def files(library: Library) -> Files:
    option = f"TINYENGINE_{library.name.upper()}"
    building = f"""
`west build ... -- -DZEPHYR_EXTRA_MODULES=/path/to/{library.name}`, and `CONFIG_{option}=y` in `prj.conf`. The header is
then on the application's include path.
"""
    sources = "\n".join(f"        ../{path}" for path in compiled_sources(library))
    lists = f"""if(CONFIG_{option})
    zephyr_include_directories(../include)
    zephyr_library_named(tinyengine_{library.name})
    zephyr_library_sources(
{sources}
    )
    zephyr_library_compile_options({optimization(library)} -ffp-contract=off)
endif()
"""
    kconfig = f"""config {option}
    bool "Neural networks: {", ".join(network.prefix for network in library.networks)}"
    help
      Networks that tinyengine has compiled for the {library.cpu}, with their kernels.
"""
    module = f"name: {library.name}\nbuild:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n"
    return plain(library, building) | {
        "zephyr/module.yml": module,
        "zephyr/CMakeLists.txt": lists,
        "zephyr/Kconfig": kconfig,
    }
