"""The variables of a generated network: their names, and the macros that let a build put them elsewhere.

Nothing needs to be defined. What a build may define, on its command line or in a te_config.h (docs/library.md):

- ``<PREFIX>_STORAGE``: what stands instead of ``static``, also nothing, for loaders that know no static variables;
- ``<PREFIX>_ARENA``: attributes of the arena, such as the section that it is to lie in;
- ``<PREFIX>_SHARED_ARENA``: the name of an array that the application defines, instead of an arena of its own;
- ``<PREFIX>_STATE``: attributes of what outlives a run, ``<PREFIX>_WEIGHTS``: of the constants;
- ``<PREFIX>_BOUND``: attributes of parameters that are bound to a file of constants (``codegen.binding``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Storage:
    """The variables of the network called ``prefix``. All names begin with it: they may be anybody's to see."""

    prefix: str
    bound_later: bool = False  # constants are a file

    @property
    def bound(self) -> str:
        """Where the file of constants lies."""
        return f"{self.prefix}_bound"

    @property
    def arena(self) -> str:
        return f"{self.prefix}_arena"

    @property
    def states(self) -> str:
        """What the network keeps from one run to the next."""
        return f"{self.prefix}_states"

    @property
    def state(self) -> str:
        """What training changes."""
        return f"{self.prefix}_state"

    @property
    def velocity(self) -> str:
        return f"{self.prefix}_velocity"

    @property
    def boxes(self) -> str:
        """Those that are found, and while they are looked for all that are compared."""
        return f"{self.prefix}_boxes"

    @property
    def rows_received(self) -> str:
        return f"{self.prefix}_rows_received"

    def macro(self, name: str) -> str:
        return f"{self.prefix.upper()}_{name}"

    def arena_definition(self, alignment: int) -> str:
        """The defaults of all macros but that of the weights, and the arena, aligned to ``alignment`` bytes."""
        shared, storage, place, state = map(self.macro, ("SHARED_ARENA", "STORAGE", "ARENA", "STATE"))
        return f"""/* A build may define these, to put variables elsewhere: see docs/library.md of tinyengine. */
#ifndef {storage}
#define {storage} static
#endif
#ifndef {place}
#define {place}
#endif
#ifndef {state}
#define {state}
#endif

#ifdef {shared} /* an array of the application: at least {self.macro("ARENA_BYTES")}, aligned to {alignment} */
extern uint8_t {shared}[];
#define {self.arena} {shared}
#else
{storage} uint8_t {self.arena}[{self.macro("ARENA_BYTES")}] {place} __attribute__((aligned({alignment})));
#endif
"""

    def parameter(self, ctype: str, declarator: str) -> str:
        """The beginning of the definition of a parameter of a kernel."""
        if self.bound_later:
            return f"static {ctype} {declarator} {self.macro('BOUND')}"
        return f"static const {ctype} {declarator}"

    def bound_macro(self) -> str:
        """The default of the attributes that bound parameters have."""
        return f"#ifndef {self.macro('BOUND')}\n#define {self.macro('BOUND')}\n#endif\n"

    def weights_macro(self) -> str:
        """The default of the attributes that constants have."""
        return f"#ifndef {self.macro('WEIGHTS')}\n#define {self.macro('WEIGHTS')}\n#endif\n"

    def kept(self, declarator: str, alignment: int = 0) -> str:
        """The definition of a variable that outlives a run, aligned to more than its type where that is given."""
        aligned = f" __attribute__((aligned({alignment})))" if alignment else ""
        return f"{self.macro('STORAGE')} {declarator} {self.macro('STATE')}{aligned};\n"

    def counter(self) -> str:
        """The definition of the number of rows that have come."""
        return f"{self.macro('STORAGE')} uint32_t {self.rows_received};\n"
