"""A folder that a CMake project adds, and a toolchain file for its core."""

from __future__ import annotations

from tinyengine.cores import core
from tinyengine.export.library import Library
from tinyengine.export.targets.base import Files, compiled_sources, optimization, plain


def _target(library: Library) -> str:
    """No target, keyword of CMake or library of the system is called like this; a bare name may be (test, debug, m)."""
    return library.name if library.name.endswith("_network") else f"{library.name}_network"


def files(library: Library) -> Files:
    building = f"""
```cmake
add_subdirectory({library.name})
target_link_libraries(firmware PRIVATE {_target(library)})
```

`cmake -DCMAKE_TOOLCHAIN_FILE={library.name}/{library.cpu}.cmake ...` compiles the whole project for the
{library.cpu} with {core(library.cpu).compiler.name}; without it, the same sources run on this
computer. Built by itself there, the folder makes a program, `example`, of `examples/main.c`.
"""
    return plain(library, building) | {
        "CMakeLists.txt": _lists(library),
        f"{library.cpu}.cmake": _toolchain(library),
    }


def _lists(library: Library) -> str:
    sources = "\n".join(f"    {path}" for path in compiled_sources(library))
    target = _target(library)
    return f"""cmake_minimum_required(VERSION 3.13)
project({target} LANGUAGES C ASM)

add_library({target} STATIC
{sources}
)
target_include_directories({target} PUBLIC include)
target_compile_features({target} PUBLIC c_std_11)
target_compile_options({target} PRIVATE
    {optimization(library)} -ffp-contract=off -ffunction-sections -fdata-sections
)
target_link_libraries({target} PUBLIC m)

if(CMAKE_SOURCE_DIR STREQUAL CMAKE_CURRENT_SOURCE_DIR AND NOT CMAKE_CROSSCOMPILING)
    add_executable(example examples/main.c)
    target_link_libraries(example PRIVATE {target})
endif()
"""


def _toolchain(library: Library) -> str:
    flags = " ".join(core(library.cpu).flags)
    gcc = core(library.cpu).compiler.name
    return f"""# {library.cpu}, bare metal, {gcc}.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR {"arm" if gcc.startswith("arm") else "riscv"})
set(CMAKE_C_COMPILER {gcc})
set(CMAKE_CXX_COMPILER {gcc.removesuffix("gcc")}g++)
set(CMAKE_ASM_COMPILER {gcc})
foreach(language C CXX ASM)
    set(CMAKE_${{language}}_FLAGS_INIT "{flags}")
endforeach()
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,--gc-sections")
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY) # a program would need the board's linker script
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
"""
