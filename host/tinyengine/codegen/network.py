"""The three generated files: ``<prefix>.h`` (interface), ``<prefix>.c`` (layers), ``<prefix>_weights.c`` (constants).
A network with a MODEL.json whose input is a picture has a fourth, ``<prefix>_image.h``.

The code is meant to be read: one C function per layer under a comment with the layer's name, shapes, work and
addresses, and a run function that lists the layers in order. The same input gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from math import prod

from tinyengine import __version__
from tinyengine.codegen.binding import address_macros, array_paths, bind_declaration, bind_function, constants_file
from tinyengine.codegen.boxes import boxes_definition
from tinyengine.codegen.generated import Generated
from tinyengine.codegen.image import ImageInput, image_header
from tinyengine.codegen.states import initial_arrays, states_definition
from tinyengine.codegen.storage import Storage
from tinyengine.codegen.text import text_definition
from tinyengine.codegen.training import (
    FACTORY,
    factory_state,
    segment_definition,
    state_definition,
    trainer_definition,
)
from tinyengine.codegen.values import Pointed, array_definition, float_literal, identifier, initializer, string_literal
from tinyengine.data.box_plan import BoxPlan
from tinyengine.ir import Graph, Port, Tensor
from tinyengine.kernels.base import C_TYPES, CArray, CState, KernelCall, arrays_in
from tinyengine.memory.plan import MemoryPlan
from tinyengine.schedule.training import TrainingProgram

ARENA_ALIGNMENT = 16
SMALL_MARK = "_COMPILED_FOR_SIZE"
"""What the name of a macro ends with that tells PlatformIO's builder to compile everything for size."""
Symbols = dict[Hashable, tuple[str, CArray]]
"""CArray.key -> (symbol, array)."""
_OTHER_VERSION = "tinyengine's library has another version than the compiler of this network: compile the network again"


@dataclass(frozen=True)
class NetworkSource:
    """What code generation needs: the planned network and its identity."""

    graph: Graph
    calls: list[KernelCall]  # views included
    plan: MemoryPlan
    model_hash: str
    metadata_json: str = "{}"
    prefix: str = "network"
    training: TrainingProgram | None = None
    layout: str = ""  # te_trainer.layout
    small: bool = False  # flash counts more than time and than names in a profile
    image: ImageInput | None = None  # how a picture becomes the input, where that is known
    bound: bool = False  # constants are a file
    boxes: BoxPlan | None = None  # of a detector

    @cached_property
    def storage(self) -> Storage:
        """Where the variables lie."""
        return Storage(self.prefix, self.bound)

    @cached_property
    def initial(self) -> dict[str, CArray]:
        """Arrays with the initial values of states."""
        return initial_arrays(self.graph)


@dataclass(frozen=True)
class _Layer:
    """A call with the names its code uses."""

    index: int
    call: KernelCall
    position: int  # in NetworkSource.calls, which also counts views
    symbol: str

    @property
    def forward(self) -> bool:
        """Whether it computes an activation of the network."""
        return self.call.role == "forward"

    @property
    def params(self) -> str:
        return f"{self.symbol}_params"


def generate(source: NetworkSource) -> Generated:
    """The C code of a planned network."""
    layers = _layers(source)
    symbols = _array_symbols(source, layers)
    prefix = source.prefix
    sources = {f"{prefix}.h": _header(source), f"{prefix}.c": _program(source, layers, symbols)}
    constants = None
    if source.bound:
        arrays = dict(symbols.values())
        file = constants_file(source.model_hash, arrays)
        in_code = {f"{prefix}_{FACTORY}", *(symbols[array.key][0] for array in source.initial.values())}
        macros = address_macros(source.storage, arrays, file, in_code)
        sources[f"{prefix}_weights.h"] = _weights_header(source, macros + source.storage.bound_macro())
        constants = file.content
    else:
        sources[f"{prefix}_weights.c"] = _weights(source, symbols)
        sources[f"{prefix}_weights.h"] = _weights_header(source, _declarations(source, symbols))
    if source.image is not None:
        sources[f"{prefix}_image.h"] = _banner(source, "Pictures as the input") + image_header(prefix, source.image)
    macs = sum(layer.call.macs for layer in layers if layer.forward)
    return Generated(source.graph, prefix, sources, macs, source.small, constants)


def _layers(source: NetworkSource) -> list[_Layer]:
    layers: list[_Layer] = []
    for position, call in enumerate(source.calls):
        if not call.is_view:
            index = len(layers)
            role = "" if call.role == "forward" else f"_{call.role}"
            layers.append(_Layer(index, call, position, f"layer_{index:03d}_{identifier(call.kind)}{role}"))
    return layers


def _array_symbols(source: NetworkSource, layers: list[_Layer]) -> Symbols:
    """In order of first use."""
    symbols: Symbols = {}
    uses: Counter[str] = Counter()
    if source.training is not None:
        factory = factory_state(source.training)
        symbols[factory.key] = (f"{source.prefix}_{FACTORY}", factory)
    for array in source.initial.values():
        symbols[array.key] = (f"{source.prefix}_{len(symbols):03d}_{identifier(array.suffix)}", array)
    for layer in layers:
        for array in arrays_in(layer.call.params):
            if array.key not in symbols:
                name = f"{source.prefix}_{layer.index:03d}_{identifier(array.suffix)}"
                uses[name] += 1  # a chain has the weights of several operators
                symbols[array.key] = (name if uses[name] == 1 else f"{name}_{uses[name]}", array)
    return symbols


def _structs(source: NetworkSource, layer: _Layer, symbols: Symbols) -> tuple[list[str], str, list[str]]:
    """Definitions of the structs that the layer's parameters point to, inner ones first; the initializer; and the
    members of all of them that point to arrays."""
    names: dict[int, str] = {}
    pointers = [f"{layer.params}{path}" for path in array_paths(layer.call.params)]
    uses: Counter[str] = Counter()
    definitions: list[str] = []

    def symbol(value: Pointed) -> str:
        if isinstance(value, CArray):
            return symbols[value.key][0]
        if isinstance(value, CState):
            return f"({value.ctype} *)(void *)({source.storage.state} + {value.offset})"
        if id(value) not in names:
            bodies = [initializer(item, symbol, 8) for item in value.items]
            name = f"{layer.symbol}_{identifier(value.suffix)}"
            uses[name] += 1  # a chain may have several patches
            name = name if uses[name] == 1 else f"{name}_{uses[name]}"
            listing = ",\n".join(f"    {body}" for body in bodies)
            beginning = source.storage.parameter(value.ctype, f"{name}[{len(bodies)}]")
            definitions.append(f"{beginning} = {{\n{listing},\n}};\n")
            pointers.extend(f"{name}[{i}]{path}" for i, item in enumerate(value.items) for path in array_paths(item))
            names[id(value)] = name
        return names[id(value)]

    body = initializer(layer.call.params, symbol)
    return definitions, body, pointers


def _banner(source: NetworkSource, what: str) -> str:
    return (
        f"/* {what} of the network {_comment(source.graph.name)}.\n"
        f" * Generated by tinyengine {__version__}; model hash {source.model_hash}. */\n"
    )


def _comment(text: str) -> str:
    """``text`` made safe for the inside of a C comment."""
    plain = " ".join(text.encode("ascii", "replace").decode().split())
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?").replace("\\", "/")


def _header(source: NetworkSource) -> str:
    guard = f"{source.prefix.upper()}_H"
    name = source.prefix
    lines = [_banner(source, "Interface")]
    lines.append(f'#ifndef {guard}\n#define {guard}\n\n#include "tinyengine/te_model.h"\n')
    version = int("".join(f"{part:0>2}" for part in __version__.split(".")))
    lines.append(f'#if TE_VERSION != {version}\n#error "{_OTHER_VERSION}"\n#endif\n')
    if source.small:
        lines.append(f"#define {name.upper()}{SMALL_MARK} /* build with -Os */")
    lines.append(f"#define {name.upper()}_ARENA_BYTES {source.plan.arena_bytes}u")
    for kind, ports in (("INPUT", source.graph.inputs), ("OUTPUT", source.graph.outputs)):
        for index, port in enumerate(ports):
            tensor = source.graph.tensor(port.tensor)
            shape = "x".join(map(str, _dims(tensor)))
            lines.append(
                f"#define {name.upper()}_{kind}_{index}_BYTES {tensor.nbytes}u /* {_comment(port.name)}: {shape} */"
            )
    bind = bind_declaration(source.storage) if source.bound else ""
    lines.append(f"\nTE_BEGIN_C\n\nextern const te_model {name};\n\n{bind}TE_END_C\n\n#endif\n")
    return "\n".join(lines)


def _weights_header(source: NetworkSource, declarations: str) -> str:
    guard = f"{source.prefix.upper()}_WEIGHTS_H"
    lines = [_banner(source, "Constants"), f'#ifndef {guard}\n#define {guard}\n\n#include "tinyengine/te_types.h"\n']
    lines.append(declarations)
    lines.append("\n#endif\n")
    return "\n".join(lines)


def _declarations(source: NetworkSource, symbols: Symbols) -> str:
    lines = [source.storage.weights_macro()]
    for name, array in symbols.values():
        lines.append(f"extern const {C_TYPES[array.data.dtype.name]} {name}[{array.data.size}];")
    return "\n".join(lines)


def _weights(source: NetworkSource, symbols: Symbols) -> str:
    parts = [_banner(source, "Constants"), f'#include "{source.prefix}_weights.h"\n']
    parts += [array_definition(name, array.data, source.storage.macro("WEIGHTS")) for name, array in symbols.values()]
    return "\n".join(parts)


def _dims(tensor: Tensor) -> tuple[int, ...]:
    return tensor.shape[1:] if len(tensor.shape) > 1 else tensor.shape


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, _dims(tensor)))


def _describe(source: NetworkSource, layer: _Layer) -> str:
    """The comment above a layer: name, shapes, MACs, addresses."""
    call, plan, graph = layer.call, source.plan, source.graph

    def place(name: str) -> str:
        tensor = graph.tensor(name)
        region = "states " if name in plan.states else ""
        start = plan.states[name] if region else plan.addresses[name]
        return f"{_shape(tensor)} @{region}{start}..{start + tensor.nbytes}"

    inputs, outputs = (" and ".join(map(place, names)) for names in (call.inputs, call.outputs))
    if call.pushed:
        inputs = f"{_shape(graph.tensor(call.pushed.tensor))} row by row"
    text = [f"/* {layer.index} {_comment(call.name)}: {call.kind}", f" *   {inputs} -> {outputs or 'nothing'}"]
    work = [f"{call.macs} MACs"] if call.macs else []
    if call.scratch_bytes:
        start = plan.scratch[layer.position]
        assert start is not None
        work.append(f"scratch @{start}..{start + call.scratch_bytes}")
    if call.note:
        work.append(call.note)
    if work:
        text.append(f" *   {'; '.join(work)}")
    return "\n".join(text) + " */"


def _place(source: NetworkSource, tensor: str) -> str:
    """Where a tensor lies, as an expression in C; NULL for an input that is never there as a whole."""
    if tensor in source.plan.states:
        return f"{source.storage.states} + {source.plan.states[tensor]}"
    address = source.plan.addresses.get(tensor)
    return "NULL" if address is None else f"{source.storage.arena} + {address}"


def _call(source: NetworkSource, layer: _Layer, writes: bool = True) -> list[str]:
    """Statements of one layer; not ``writes``: without its outputs."""
    call = layer.call

    def pointer(name: str, const: str = "") -> str:
        return f"({const}{C_TYPES[source.graph.tensor(name).dtype]} *)({_place(source, name)})"

    inputs = [pointer(name, "const ") for name in call.inputs]
    arguments = [f"&{layer.params}"]
    lines: list[str] = []
    if call.variadic:
        small = all(source.graph.tensor(name).dtype == "int8" for name in call.inputs)
        lines.append(f"const {'int8_t' if small else 'void'} *const inputs[] = {{{', '.join(inputs)}}};")
        arguments.append("inputs")
    else:
        arguments += inputs
    arguments += [pointer(name) for name in call.outputs] if writes and call.outputs else ["NULL"]
    if call.scratch_bytes:
        arguments.append(f"{source.storage.arena} + {source.plan.scratch[layer.position]}")
    if call.takes_context:
        arguments.append("context")
    lines.append(f"{call.function}({', '.join(arguments)});")
    return lines


def _port(source: NetworkSource, port: Port) -> str:
    tensor = source.graph.tensor(port.tensor)
    dims = _dims(tensor)
    dims = dims if len(dims) <= 4 else (prod(dims[:-3]), *dims[-3:])
    scale, zero = tensor.quant.scalar() if tensor.quant else (1.0, 0)
    return (
        f"    {{{string_literal(port.name)}, {_place(source, tensor.name)}, {tensor.nbytes}u, {float_literal(scale)}, "
        f"{zero}, {len(dims)}, TE_{tensor.dtype.upper()}, {{{', '.join(map(str, dims))}}}}},"
    )


def _program(source: NetworkSource, layers: list[_Layer], symbols: Symbols) -> str:
    prefix = source.prefix
    headers = sorted({header for layer in layers for header in (layer.call.header, *layer.call.headers)})
    training = source.training
    out = [_banner(source, "Layers")]
    out.append(f'#include "{prefix}.h"\n\n#include <string.h>\n\n#include "{prefix}_weights.h"')
    out.append("\n".join(f'#include "tinyengine/{header}"' for header in headers) + "\n")
    out.append(source.storage.arena_definition(ARENA_ALIGNMENT))
    if training:
        out.append(state_definition(training, source.storage))
    if source.graph.states:
        names = {state: symbols[array.key][0] for state, array in source.initial.items()}
        out.append(states_definition(source.graph, source.plan, names, source.storage))
    out += dict.fromkeys(layer.call.code for layer in layers if layer.call.code)

    bound: list[str] = []
    for layer in layers:
        assert layer.call.params_type is not None
        definitions, body, pointers = _structs(source, layer, symbols)
        bound += pointers
        out += definitions
        out.append(_describe(source, layer))
        out.append(f"{source.storage.parameter(layer.call.params_type, layer.params)} = {body};\n")
        if not layer.call.pushed:
            context = "te_train_context *context" if layer.call.takes_context else "void"
            out.append(f"static void {layer.symbol}({context}) {{")
            out += [f"    {line}" for line in _call(source, layer)]
            out.append("}\n")

    pushed = next((layer for layer in layers if layer.call.pushed), None)
    shown = [layer for layer in layers if layer.forward]
    out += _runs(shown, pushed, source.small, "keep_states" if source.plan.region.copies else "")
    out.append(_push(source, pushed) if pushed else _copy_rows(source))
    if training:
        out.append(_trainer(source, training, layers, pushed))

    if source.bound:
        out.append(bind_function(source.storage, bound))
    if not source.small:
        out += _layer_table(shown)
    for name, ports in (("inputs", source.graph.inputs), ("outputs", source.graph.outputs)):
        out.append(f"static const te_port {name}[{len(ports)}] = {{")
        out += [_port(source, port) for port in ports]
        out.append("};\n")
    macs = sum(layer.call.macs for layer in shown)
    fields = {
        "name": string_literal(source.graph.name),
        "hash": string_literal(source.model_hash),
        "metadata": string_literal(source.metadata_json),
        "arena": source.storage.arena,
        "arena_bytes": f"{prefix.upper()}_ARENA_BYTES",
        "macs": f"{macs}u",
        "n_inputs": str(len(source.graph.inputs)),
        "n_outputs": str(len(source.graph.outputs)),
        "n_layers": str(len(shown)),
        "inputs": "inputs",
        "outputs": "outputs",
        "layers": "NULL" if source.small else "layers",
        "run": "NULL" if pushed else "run",
        "run_profiled": "run_profiled",
        "begin": "begin",
        "push_rows": "push_rows",
        "finish": "finish",
        "trainer": "&trainer" if training else "NULL",
        "reset": "reset_states" if source.graph.states else "NULL",
    }
    if source.graph.tokenizer is not None:
        out.append(text_definition(source.graph.tokenizer, source.storage))
        fields["text"] = "&text"
    if source.boxes is not None:
        places = [_place(source, port.tensor) for port in source.graph.outputs]
        out.append(boxes_definition(source.boxes, source.storage, places))
        fields["boxes"] = "&boxes"
    out.append(f"const te_model {prefix} = {{")
    out += [f"    .{key} = {value}," for key, value in fields.items()]
    out.append("};\n")
    return "\n".join(out)


def _layer_table(layers: list[_Layer]) -> list[str]:
    """Names and work of the layers, for profiles."""
    out = [f"static const te_layer layers[{max(len(layers), 1)}] = {{"]
    for layer in layers:
        call = layer.call
        out.append(f"    {{{string_literal(call.name)}, {string_literal(call.kind)}, {call.macs}u}},")
    if not layers:
        out.append('    {"", "", 0},')
    return [*out, "};\n"]


def _runs(layers: list[_Layer], pushed: _Layer | None, small: bool, last: str) -> list[str]:
    """The functions run and run_profiled; what is pushed has been computed before. ``small``: one list of calls;
    ``last``: a function that ends the run, as a part of the last layer."""
    run = f"static void {'finish' if pushed else 'run'}(void) {{"
    steps = [*(layer.symbol for layer in layers if layer is not pushed), *([last] if last else [])]
    plain = [run, *(f"    {step}();" for step in steps), "}\n"]
    out = ["static void run_profiled(te_layer_hook hook, void *context) {"]
    for index, layer in enumerate(layers):
        if layer is not pushed:
            out.append(f"    {layer.symbol}();")
        if last and layer is layers[-1]:
            out.append(f"    {last}();")
        out.append(f"    hook(context, {index});")
    if not layers:
        out.append("    (void)hook;\n    (void)context;")
        out += [f"    {last}();"] if last else []
    out.append("}\n")
    if not small:
        return [*plain, *out]
    nobody = ["static void nobody(void *context, uint32_t index) {", "    (void)context;", "    (void)index;", "}\n"]
    return [*out, *nobody, run, "    run_profiled(nobody, NULL);", "}\n"]


def _trainer(source: NetworkSource, training: TrainingProgram, layers: list[_Layer], pushed: _Layer | None) -> str:
    """The functions of the trainer: a step is all calls in order, an evaluation those up to the loss."""
    if training.segment:
        return _segment_trainer(source, training, layers)
    step: list[str] = []
    evaluate: list[str] = []
    for layer in layers:
        if layer is pushed:
            continue
        line = f"{layer.symbol}({'&context' if layer.call.takes_context else ''});"
        step.append(line)
        if layer.forward:
            evaluate.append(line)
        elif layer.call.role == "loss":  # judged without a gradient
            [statement] = _call(source, layer, writes=False)
            evaluate.append(statement.replace(", context)", ", &context)"))
    return trainer_definition(training, source.layout, source.storage, step, evaluate)


def _segment_trainer(source: NetworkSource, training: TrainingProgram, layers: list[_Layer]) -> str:
    """Those of a language model: all calls but the way back run for every token, the way back runs behind the last."""
    token: list[str] = []
    back: list[str] = []
    for layer in layers:
        line = f"{layer.symbol}({'&context' if layer.call.takes_context else ''});"
        match layer.call.role:
            case "keep":
                token.append(f"if (update) {line}")
            case "backward":
                back.append(line)
            case _:
                token.append(line)
    if source.plan.region.copies:
        token.append("keep_states();")
    place = _place(source, source.graph.inputs[0].tensor)
    return segment_definition(training, source.layout, source.storage, place, token, back)


def _push(source: NetworkSource, layer: _Layer) -> str:
    """The by-rows entry of a network that never holds its input: every row goes to its slot and is computed on."""
    call = layer.call
    assert call.pushed is not None
    tensor = source.graph.tensor(call.pushed.tensor)
    height = tensor.hwc()[0]
    row = tensor.nbytes // height
    scratch = source.plan.scratch[layer.position]
    assert scratch is not None
    ring = scratch + call.pushed.offset
    output = source.plan.addresses[call.output]
    arena, received = source.storage.arena, source.storage.rows_received
    return f"""{source.storage.counter()}
static void begin(void) {{
    {received} = 0;
    te_chain_begin(&{layer.params}, {arena} + {scratch});
}}

static void push_rows(const void *rows, uint32_t count) {{
    const uint8_t *from = rows;
    if (count > {height}u - {received}) count = {height}u - {received};
    for (; count > 0; count--, from += {row}) {{
        memcpy({arena} + {ring} + {received} % {call.pushed.capacity}u * {row}u, from, {row});
        {received}++;
        te_chain_push(&{layer.params}, (const int8_t *)({arena} + {ring}), (int8_t *)({arena} + {output}),
                      {arena} + {scratch}, 1);
    }}
}}
"""


def _copy_rows(source: NetworkSource) -> str:
    """The by-rows entry over a resident frame: rows are copied to their place, finish runs the network."""
    tensor = source.graph.tensor(source.graph.inputs[0].tensor)
    height = tensor.hwc()[0]
    row = tensor.nbytes // height
    address = source.plan.addresses[tensor.name]
    arena, received = source.storage.arena, source.storage.rows_received
    return f"""{source.storage.counter()}
static void begin(void) {{ {received} = 0; }}

static void push_rows(const void *rows, uint32_t count) {{
    if (count > {height}u - {received}) count = {height}u - {received};
    memcpy({arena} + {address} + {received} * {row}u, rows, count * {row}u);
    {received} += count;
}}

static void finish(void) {{ run(); }}
"""
