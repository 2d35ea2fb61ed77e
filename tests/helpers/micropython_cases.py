"""Sessions in MicroPython, and what the oracle says that they print.

Each runs where ``network()`` makes a Network, ``blob(name)`` gives a file of ``files``, and gc and struct are there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from tinyengine.compiler import CompiledModel, CompileOptions, compile_graph, compile_model
from tinyengine.data.images import InputForm
from tinyengine.data.metadata import load_metadata
from tinyengine.data.pixels import FORMATS
from tinyengine.ir import Graph, OpKind
from tinyengine.passes import optimize
from tinyengine.paths import project_root
from tinyengine.reference import run
from tinyengine.reference.backward.step import Trainer
from tinyengine.step import Sample, Update
from tinyengine.training.state import state_of

from tests.helpers import stateful, trainable
from tests.helpers.graphs import GraphBuilder, random_inputs

RATE = 0.0625  # the same number in every float


@dataclass(frozen=True)
class Session:
    """``code`` prints ``expected``."""

    code: str
    expected: list[str]
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A network, compiled under ``name``, and what is done with it."""

    name: str
    compile: Callable[[CompileOptions], CompiledModel]
    sessions: Callable[[CompiledModel], list[Session]]
    options: dict[str, str] = field(default_factory=dict)

    def compiled(self, cpu: str, bound: bool = False) -> CompiledModel:
        options = CompileOptions(cpu, prefix=self.name, bound=bound, **self.options)  # type: ignore[arg-type]
        return self.compile(options)


def _hex(arrays: list[np.ndarray]) -> str:
    return " ".join(array.tobytes().hex() for array in arrays)


SHOW = "def show(out): print(' '.join(bytes(one).hex() for one in (out if isinstance(out, tuple) else (out,))))\n"


# ---- inference ----


def _person(options: CompileOptions) -> CompiledModel:
    return compile_model(project_root() / "models" / "person_tiny.tflite", options)


def _whole(model: CompiledModel) -> list[Session]:
    graph = model.graph
    one, two = random_inputs(graph, 1), random_inputs(graph, 2)
    wanted = [run(graph, values, requant=model.roundings) for values in (one, two)]
    [out] = (graph.tensor(name) for name in graph.output_tensors())
    [x] = (graph.tensor(name) for name in graph.input_tensors())
    code = """
net = network()
show(net.run(blob("one")))
print(net.argmax(), net.labels[net.argmax()])
net.input[:] = blob("two")
print(net.run() is net.output, len(net.input), net.outputs == (net.output,))
show(net.output)
print(net.labels, net.input_zero_point, net.output_zero_point)
print(struct.pack("<ff", net.input_scale, net.output_scale).hex())
print(net.input_ports[0][1:3], net.output_ports[0][1:3], net.name, net.hash, net.scheme, net.classes)
net, before = network(), 0  # a new name could enlarge the table of names
show(net.output)
def work():
    for i in range(100):
        net.argmax()
        net.output
    for i in range(3): net.run()
work()
before = gc.mem_alloc()
work()
print(gc.mem_alloc() - before)
"""
    answer = int(wanted[0][0].argmax())
    expected = [
        _hex(wanted[0]),
        f"{answer} {('no_person', 'person')[answer]}",
        f"True {x.elements} True",
        _hex(wanted[1]),
        f"('no_person', 'person') {x.zero_point} {out.zero_point}",
        np.array([x.scale, out.scale], "<f4").tobytes().hex(),
        f"('b', {x.shape[1:]}) ('b', (2,)) person_tiny {model.model_hash} None 0",
        _hex(wanted[1]),
        "0",
    ]
    return [Session(SHOW + code, expected, {"one": one[0].tobytes(), "two": two[0].tobytes()})]


def _rows(model: CompiledModel) -> list[Session]:
    values = random_inputs(model.graph, 3)
    wanted = _hex(run(model.graph, values, requant=model.roundings))
    rows, row = values[0].shape[1], values[0][0, 0].size
    code = f"""
net = network()
x, row = blob("x"), net.row_bytes
print(net.input, row)
net.begin()
net.push(x[: 5 * row])
net.begin()
for a, b in ((0, 1), (1, 1), (1, 8), (8, {rows})): net.push(x[a * row : b * row])
show(net.finish())
show(net.run(x))
"""
    return [Session(SHOW + code, [f"None {row}", wanted, wanted], {"x": values[0].tobytes()})]


def pictures(model: CompiledModel) -> Session:
    """Framebuffers become what the host makes of the same pictures; only in firmware, not in native modules."""
    [x] = (model.graph.tensor(name) for name in model.graph.input_tensors())
    metadata = load_metadata(project_root() / "models" / "person_tiny.tflite")
    assert metadata is not None
    form = InputForm(x.shape[1:], x.scale, x.zero_point, metadata)
    rng = np.random.default_rng(8)
    files, lines, expected = {}, ["net, before = network(), 0", "def state(): return gc.mem_alloc()"], []
    for name, width, height in (("rgb565be", 80, 60), ("gray8", 33, 100), ("yuyv", 96, 72)):
        frame = rng.bytes(width * height * FORMATS[name].size)
        values = form.values(FORMATS[name].frame(frame, width, height)).astype(np.int8).reshape(x.shape)
        files[name] = frame
        lines += [f'net.load(blob("{name}"), {width}, {height}, "{name}")', "show(net.run())"]
        expected.append(_hex(run(model.graph, [values], requant=model.roundings)))
    lines += [
        'frame = blob("yuyv")',
        "before = gc.mem_alloc()",
        "for i in range(3): net.load(frame, 96, 72, 'yuyv')",
        "print(gc.mem_alloc() - before)",
    ]
    errors = {
        "net.load(frame, 96, 71, 'yuyv')": (
            "ValueError: the framebuffer has another size than width, height and format say"
        ),
        "net.load(frame, 0, 72, 'yuyv')": "ValueError: no picture has these sides: they are from 1 to 4095",
        "net.load(frame, 4096, 72, 'yuyv')": "ValueError: no picture has these sides: they are from 1 to 4095",
        "net.load(frame, 96, 72, 'rgb')": "ValueError: this format of pixels is unknown: rgb565le, rgb565be",
        "net.load(frame, 96, 72)": "TypeError",
    }
    lines += [f"print(attempt(lambda: {call})[:{len(wanted)}])" for call, wanted in errors.items()]
    lines += ["net.load(frame, 96, 72, 'yuyv')", "show(net.finish())"]
    expected += ["0", *errors.values(), expected[-1]]
    return Session(SHOW + ATTEMPT + "\n".join(lines) + "\n", expected, files)


def numbers(model: CompiledModel) -> Session:
    """Without any float: modules for armv6m take them elsewhere than a firmware with a floating-point unit."""
    values = random_inputs(model.graph, 7)
    code = 'net = network()\nshow(net.run(blob("x")))\nprint(net.argmax(), net.labels)\n'
    wanted = run(model.graph, values, requant=model.roundings)
    expected = [_hex(wanted), f"{int(wanted[0].argmax())} ('no_person', 'person')"]
    return Session(SHOW + code, expected, {"x": values[0].tobytes()})


def _two_inputs(b: GraphBuilder) -> None:
    b.output(b.binary(OpKind.ADD, b.input(1, 6, 5, 4), b.input(1, 6, 5, 4)))
    b.output(b.softmax(b.dense(b.input(1, 9), 3)))


def _graph(build: Callable[[GraphBuilder], None]) -> Graph:
    b = GraphBuilder(4, build.__name__)
    build(b)
    return b.graph


def _several(options: CompileOptions) -> CompiledModel:
    return compile_graph(_graph(_two_inputs), options)


def _ports(model: CompiledModel) -> list[Session]:
    values = random_inputs(model.graph, 5)
    wanted = run(model.graph, values, requant=model.roundings)
    code = """
net = network()
show(net.run(blob("a"), blob("b"), blob("c")))
print(net.argmax(1), net.labels, len(net.inputs), len(net.outputs), [port[2] for port in net.input_ports])
for view, name in zip(net.inputs, "abc"): view[:] = blob(name)
show(net.run())
print(attempt(lambda: net.run(blob("a"))))
print(attempt(lambda: net.begin()))
print(attempt(lambda: net.argmax(2)))
"""
    expected = [
        _hex(wanted),
        f"{int(wanted[1].argmax())} () 3 2 [(6, 5, 4), (6, 5, 4), (9,)]",
        _hex(wanted),
        "TypeError: give one buffer for each input of the network",
        "RuntimeError: rows are for networks of one input: use run(...)",
        "ValueError: the network has no such output",
    ]
    files = {name: value.tobytes() for name, value in zip("abc", values, strict=True)}
    return [Session(SHOW + ATTEMPT + code, expected, files)]


def _vector(options: CompileOptions) -> CompiledModel:
    b = GraphBuilder(3, "vector")
    b.output(b.dense(b.input(1, 9), 3))
    return compile_graph(b.graph, options)


def _cube(options: CompileOptions) -> CompiledModel:
    b = GraphBuilder(3, "cube")
    b.output(b.dense(b.reshape(b.input(1, 3, 2, 4, 5), 1, 120), 3))
    return compile_graph(b.graph, options)


def _odd_rows(model: CompiledModel) -> list[Session]:
    """Rows of an input that is no picture: all axes but the last two count them."""
    values = random_inputs(model.graph, 6)
    x = values[0].tobytes()
    rows = {9: 1, 120: 6}[len(x)]
    row = len(x) // rows
    code = f"""
net, x = network(), blob("x")
print(net.row_bytes)
net.begin()
print(attempt(lambda: net.push(x[: {row} - 1])))
print(attempt(lambda: net.push(bytes(x) + bytes({row}))))
print(attempt(net.finish))
for i in range({rows}): net.push(x[i * {row} : (i + 1) * {row}])
print(attempt(lambda: net.push(x[:{row}])))
show(net.finish())
"""
    more = "ValueError: these are more rows than the input has left"
    expected = [str(row), "ValueError: rows come whole: push a multiple of row_bytes bytes", more]
    expected += ["RuntimeError: rows are missing: push() the rest, or begin() anew", more]
    wanted = run(model.graph, values, requant=model.roundings)
    return [Session(SHOW + ATTEMPT + code, [*expected, _hex(wanted)], {"x": x})]


# ---- errors ----

ATTEMPT = """
def attempt(call):
    try: call()
    except Exception as error: return "%s: %s" % (type(error).__name__, error)
    return "nothing"
"""

ROWS_MISSING = "RuntimeError: rows are missing: push() the rest, or begin() anew"
FOREIGN = "ValueError: this is the state of another network, or of another way to train it"
_FRAME_ERRORS = {
    "net.run(b'xx')": "ValueError: the buffer has another size than the input: see input_ports",
    "net.push(b'xx')": "RuntimeError: no rows are open: begin() first",
    "net.finish()": "RuntimeError: no rows are open: begin() first",
    "(net.begin(), net.run())": "RuntimeError: rows are open: finish() them, begin() anew, or give run() a buffer",
    "(net.begin(), net.push(x[:row]), net.finish())": ROWS_MISSING,
    "(net.begin(), net.push(x[:row - 1]))": "ValueError: rows come whole: push a multiple of row_bytes bytes",
    "(net.begin(), net.push(x), net.push(x[:row]))": "ValueError: these are more rows than the input has left",
    "(net.begin(), net.push(x), net.finish(), net.finish())": "RuntimeError: no rows are open: begin() first",
    "(net.begin(), net.run(x), net.push(x[:row]))": "RuntimeError: no rows are open: begin() first",
    "setattr(net, 'nothing', 1)": "AttributeError",
    "setattr(net, 'input', x)": "AttributeError",
    "net.nothing": "AttributeError",
}
_TRAINING_ERRORS = {
    "net.train(x, 4)": "ValueError: the label is none of the network's classes",
    "net.train(x, -1)": "ValueError: the label is none of the network's classes",
    "net.evaluate(x, 4)": "ValueError: the label is none of the network's classes",
    "net.train(x, 0, rate=-1)": "ValueError: rate and momentum are numbers that are not negative",
    "net.train(x, 0, rate=float('nan'))": "ValueError: rate and momentum are numbers that are not negative",
    "net.train(x, 0, rate=float('inf'))": "ValueError: rate and momentum are numbers that are not negative",
    "net.train(x, 0, batch=2)": "ValueError: momentum and batches need a network compiled with --velocity",
    "net.train(x, 0, momentum=.5)": "ValueError: momentum and batches need a network compiled with --velocity",
    "net.train(x, 0, momentum=2)": "ValueError: momentum is at most 1",
    "net.train(x, 0, batch=2, sample=2)": "ValueError: sample counts from 0 to batch - 1",
    "net.train(x, 0, batch=-1)": "ValueError: batch and sample are numbers from 0 to 65535",
    "net.train(b'', 0)": "ValueError: the buffer has another size than the input: see input_ports",
    "(net.begin(), net.train(None, 0))": ROWS_MISSING,
    "setattr(net, 'state', b'x' * 9)": FOREIGN,
    "setattr(net, 'state', b'x' * len(net.state))": FOREIGN,
    "setattr(net, 'state', net.state[:-1])": "ValueError: this state is not complete: save it anew",
}
_UNTRAINED_ERRORS = {
    "net.train(x, 0)": "RuntimeError: this network cannot be trained: compile it with --train",
    "net.evaluate(x, 0)": "RuntimeError: this network cannot be trained: compile it with --train",
    "net.state": "RuntimeError: this network cannot be trained: compile it with --train",
    "net.reset()": "RuntimeError: there is nothing to reset: this network has no states and is not trained",
}


def _refused(errors: dict[str, str], x: bytes) -> Session:
    """Each call raises what it says, and afterwards the network answers as before."""
    lines = [f"print(attempt(lambda: {call})[:{len(wanted)}])" for call, wanted in errors.items()]
    code = ["net = network()", 'x, row = blob("x"), net.row_bytes', "before = bytes(net.run(x))", *lines]
    code.append("print(bytes(net.run(x)) == before)")
    return Session(ATTEMPT + "\n".join(code) + "\n", [*errors.values(), "True"], {"x": x})


# ---- training ----


def _learner(options: CompileOptions) -> CompiledModel:
    return compile_graph(trainable.network(), options)


def _steps(model: CompiledModel) -> list[Session]:
    assert model.training is not None
    oracle = Trainer(optimize(trainable.network()), model.training.scheme, requant=model.roundings)
    layout, pictures = model.training.layout, trainable.pictures(4, 3)
    expected = [model.layout_hash.encode().hex() + state_of(oracle.graph, layout).hex()]
    for index, x in enumerate(pictures):
        sample = Sample(index % 3, 4)
        judged = oracle.evaluate(x, sample)
        oracle.train(x, sample, Update(RATE, 7, index))
        line = f"{np.float32(judged.loss).tobytes().hex()} {judged.predicted}"
        expected += [line, line]
    trained = model.layout_hash.encode().hex() + state_of(oracle.graph, layout).hex()
    output = oracle.forward(pictures[0])[oracle.graph.output_tensors()[0]].tobytes().hex()
    expected += [trained, output, "True True True True", f"{model.training.scheme.name} 4", output]
    code = f"""
net = network()
net.reset()
factory = bytes(net.state)
print(factory.hex())
def outcome(answer): print(struct.pack("<f", answer[0]).hex(), answer[1])
for i in range(4):
    x = blob("x%d" % i)
    outcome(net.evaluate(x, i % 3))
    if i % 2:
        net.begin()
        net.push(x)
        x = None
    outcome(net.train(x, i % 3, rate={RATE}, seed=7, step=i))
trained = bytes(net.state)
print(trained.hex())
net = network()
show(net.run(blob("x0")))
changed = trained != factory
net.reset()
lost = net.state == factory
net.state = trained
net.begin()
net.push(blob("x0"))
net.state = trained
closed = attempt(net.finish)[:7]
print(changed, lost, net.state == trained, closed == "Runtime")
print(net.scheme, net.classes)
show(net.run(blob("x0")))
"""
    files = {f"x{index}": x.tobytes() for index, x in enumerate(pictures)}
    return [
        Session(SHOW + ATTEMPT + code, expected, files),
        _refused(_FRAME_ERRORS | _TRAINING_ERRORS, pictures[0].tobytes()),
        _thousand(pictures[0].tobytes()),
    ]


def _thousand(x: bytes) -> Session:
    """Whatever is done a thousand times, not a byte of the heap is lost."""
    code = """
net, before = network(), 0
x, row = blob("x"), net.row_bytes
rows = [x[i * row : (i + 1) * row] for i in range(16)]
def work():
    for i in range(1000): net.run(x)
    for i in range(1000):
        net.begin()
        for one in rows: net.push(one)
        net.finish()
work()
gc.collect()
before = gc.mem_alloc()
work()
print(gc.mem_alloc() - before)
def more(count):
    for i in range(count):
        net.train(x, i % 4, step=i)
        attempt(net.finish)
        net.state = net.state
        network()
        net.labels
        if i % 100 == 0: gc.collect()
    gc.collect()
    return gc.mem_alloc()
before = more(10)
# The collector may find the last state's address in a register; a loss would be a thousand times as much.
print(more(1000) - before <= len(net.state) + 64)
net.reset()
"""
    return Session(ATTEMPT + code, ["0", "True"], {"x": x})


def _velocity(model: CompiledModel) -> list[Session]:
    assert model.training is not None
    oracle = Trainer(optimize(trainable.network()), model.training.scheme, requant=model.roundings)
    pictures = trainable.pictures(4, 6)
    for index, x in enumerate(pictures):
        oracle.train(x, Sample(index % 3, 4), Update(RATE, 9, index, 0.5, 2, index % 2))
    wanted = model.layout_hash.encode().hex() + state_of(oracle.graph, model.training.layout).hex()
    code = f"""
net = network()
for i in range(4): net.train(blob("x%d" % i), i % 3, rate={RATE}, seed=9, step=i, momentum=.5, batch=2, sample=i % 2)
print(bytes(net.state).hex())
print(attempt(lambda: net.train(blob("x0"), 0, batch=2, sample=1)))
net.reset()
"""
    files = {f"x{index}": x.tobytes() for index, x in enumerate(pictures)}
    return [Session(ATTEMPT + code, [wanted, "ValueError: the samples of a batch come in order, from 0 on"], files)]


# ---- states ----


def _deep(options: CompileOptions) -> CompiledModel:
    return compile_graph(stateful.stateful(stateful.deep), options)


def _states(model: CompiledModel) -> list[Session]:
    inputs, outputs = stateful.expected(model)
    code = """
for again in range(2):
    net = network()
    for i in range(10): show(net.run(blob("x%d" % i)))
    net.reset()
net.run(blob("x0"))
show(network().run(blob("x1")))
net.reset()
"""
    lines = [_hex(values) for values in outputs]
    files = {f"x{index}": values[0].tobytes() for index, values in enumerate(inputs)}
    return [Session(SHOW + code, [*lines, *lines, lines[1]], files)]


def _plain(model: CompiledModel) -> list[Session]:
    [x] = random_inputs(model.graph, 1)
    return [*_whole(model), _refused(_FRAME_ERRORS | _UNTRAINED_ERRORS, x.tobytes())]


_TRAINED = {"train": trainable.SCHEME}
CASES = [
    Case("person_tiny", _person, _plain),
    Case("person_rows", _person, _rows, {"input": "rows", "optimize": "sram"}),
    Case("several", _several, _ports),
    Case("vector", _vector, _odd_rows),
    Case("cube", _cube, _odd_rows),
    Case("learner", _learner, _steps, _TRAINED),  # type: ignore[arg-type]
    Case("batches", _learner, _velocity, _TRAINED | {"velocity": True}),  # type: ignore[arg-type]
    Case("deep", _deep, _states),
]
