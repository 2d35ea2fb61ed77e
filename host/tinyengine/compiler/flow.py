"""The whole flow: a model file in, C sources out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tinyengine.audio import listening
from tinyengine.codegen import NetworkSource, generate
from tinyengine.compiler.boxes import box_plan, check_trained
from tinyengine.compiler.budget import check_sram
from tinyengine.compiler.identity import identify, meaning_on_device, model_hash
from tinyengine.compiler.options import CompileOptions
from tinyengine.compiler.picture import camera_line_bytes, image_input
from tinyengine.compiler.result import CompiledModel
from tinyengine.data.metadata import parse_metadata
from tinyengine.errors import ModelError
from tinyengine.frontend.network import load_network
from tinyengine.ir import Graph
from tinyengine.ir.verify import verify
from tinyengine.passes import optimize
from tinyengine.schedule import schedule
from tinyengine.schedule.language import language_program
from tinyengine.schedule.training import training_program
from tinyengine.training.head import replace_head
from tinyengine.training.language import LanguageScheme, resolve_language, with_bias
from tinyengine.training.scheme import UpdateScheme, resolve_scheme
from tinyengine.training.state import layout_hash

Observer = Callable[[str, Graph], None]
"""Sees the graph after the import and after each pass, with the name of what made it."""


def compile_model(path: Path, options: CompileOptions | None = None, observer: Observer | None = None) -> CompiledModel:
    """Compile a network's file. ModelError if it cannot be used, BudgetError when the SRAM cap is too small."""
    graph = load_network(path)
    return compile_graph(graph, options, observer, *identify(path))


def compile_language(path: Path) -> CompiledModel:
    """As ``compile_model`` with its defaults; ModelError where the network is no language model."""
    compiled = compile_model(path)
    if compiled.graph.tokenizer is None:
        raise ModelError(f"{path.name} is no language model: give a .lm file that 'tinyengine lm convert' wrote")
    return compiled


def prepare(graph: Graph, classes: int | None = None, observer: Observer | None = None) -> Graph:
    """The graph that is lowered: with a new classifier for ``classes`` where they are given, after all passes."""
    return optimize(graph if classes is None else replace_head(graph, classes), observer)


def compile_graph(
    graph: Graph,
    options: CompileOptions | None = None,
    observer: Observer | None = None,
    identity: bytes = b"",
    metadata_json: str = "{}",
) -> CompiledModel:
    """Compile a graph that is already in memory. ``identity``: hash of its file."""
    options = options or CompileOptions()
    verify(graph)
    if observer:
        observer("import", graph)
    if options.input == "sound":
        graph = _that_hears(graph, metadata_json)
        if observer:
            observer("audio front end", graph)

    check_trained(graph.name, metadata_json, options)
    scheme = resolve(options.train, graph) if isinstance(options.train, str) else options.train
    if isinstance(scheme, LanguageScheme):
        graph = _with_trained_bias(graph, options)
    graph = prepare(graph, options.classes, observer)

    on_device = meaning_on_device(metadata_json, options)
    image, boxes = image_input(graph, on_device), box_plan(graph, on_device, options)
    aim = options.sram_cap
    if options.sram is None and aim is not None:  # what lies beside the arena
        aim -= camera_line_bytes(options.camera_width, image) + (boxes.nbytes if boxes else 0)

    # Both lower operators to kernel calls, order them, place their buffers and replay the placement byte by byte.
    rows = options.input == "rows"
    if scheme is None:
        program = None
        chosen = schedule(graph, options.target, rows=rows, sram=aim, max_recompute=options.max_recompute)
    elif isinstance(scheme, LanguageScheme):
        program = language_program(graph, scheme, options.target, options.segment, options.velocity)
        graph, chosen = program.graph, program.schedule
    else:
        program = training_program(
            graph,
            scheme,
            options.target,
            residual=options.residual,
            velocity=options.velocity,
            gradients=options.gradients,
            rows=rows,
            sram=aim,
        )
        graph, chosen = program.graph, program.schedule
    check_sram(options.sram, chosen.plan, program)

    known_as = model_hash(identity, options, metadata_json)
    layout = layout_hash(identity, scheme, options.classes, options.residual) if scheme else ""
    metadata_json = on_device
    calls, prefix = chosen.calls, options.prefix
    source = NetworkSource(
        graph,
        calls,
        chosen.plan,
        known_as,
        metadata_json,
        prefix,
        program,
        layout,
        options.small,
        image,
        options.bound,
        boxes,
    )
    return CompiledModel(
        **vars(generate(source)),
        planned=calls,
        plan=chosen.plan,
        model_hash=known_as,
        options=options,
        metadata_json=metadata_json,
        training=program,
        layout_hash=layout,
        boxes=boxes,
    )


def resolve(text: str, graph: Graph) -> UpdateScheme | LanguageScheme:
    """The update scheme that ``text`` names for a network of any kind. DataError, one sentence, if there is none."""
    return resolve_scheme(text, graph) if graph.tokenizer is None else resolve_language(text, graph)


def _with_trained_bias(graph: Graph, options: CompileOptions) -> Graph:
    """A language model as it is trained. ModelError where it is to be trained in another way."""
    if options.classes is not None or options.residual:
        raise ModelError(
            f"{graph.name} is a language model, which has no classes and whose gains have enough bits: leave out "
            "--classes and --residual"
        )
    return with_bias(graph)


def _that_hears(graph: Graph, metadata_json: str) -> Graph:
    """The network behind its audio front end. ModelError where nothing says what that is."""
    metadata = parse_metadata(metadata_json, "MODEL.json")
    if metadata.audio is None:
        raise ModelError(
            f'nothing says how {graph.name} listens: write "audio" into the MODEL.json beside it, as docs/audio.md '
            "shows, or leave out --input sound"
        )
    whole = listening(graph, metadata.audio, metadata.hop)
    verify(whole)
    return whole
