"""Trained states as files: a complete .tflite of the trained network (.lm of a language model), or the bare state for
the same firmware."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinyengine.compiler import prepare
from tinyengine.data.metadata import ModelMetadata, load_metadata
from tinyengine.data.network_file import write_network
from tinyengine.errors import DataError, ModelError
from tinyengine.frontend.files import network_bytes
from tinyengine.frontend.language import SUFFIX, language_graph, load_language, save_language, with_constants
from tinyengine.frontend.tflite import load_tflite
from tinyengine.frontend.tflite_writer import tflite_bytes
from tinyengine.ir import Graph
from tinyengine.training.language import language_layout, resolve_language, with_bias
from tinyengine.training.layers import trainable_layers
from tinyengine.training.scheme import resolve_scheme
from tinyengine.training.state import StateLayout, apply_state, layout_hash, state_layout, state_of

STATE_SUFFIX = ".npz"


@dataclass(frozen=True)
class TrainedState:
    """A state and what it belongs to."""

    data: bytes
    layout: str  # te_trainer.layout
    scheme: str
    steps: int
    class_names: tuple[str, ...] = ()  # as TrainingInfo has them


@dataclass(frozen=True, eq=False)
class FactoryNetwork:
    """The network file that a firmware was built from, with the classifier it has there, and its state's layout."""

    path: Path
    graph: Graph
    layout: StateLayout
    layout_hash: str
    metadata: ModelMetadata
    new_classifier: bool = False  # its classes are not those of the file

    @property
    def language(self) -> bool:
        """Whether it is a language model."""
        return self.graph.tokenizer is not None

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the file calls the outputs; none where they are others than the file's."""
        return () if self.new_classifier else self.metadata.classes


def find_network(model: Path, layout: str, scheme: str, classes: int) -> FactoryNetwork:
    """The network of ``model`` as the firmware with this layout, scheme and number of classes has it.

    Raises ModelError for a file that cannot be used, DataError where it is another network or scheme.
    """
    if model.suffix.lower() == SUFFIX:
        return _find_language(model, layout, scheme)
    graph = load_tflite(model)
    identity = hashlib.sha256(network_bytes(model)).digest()
    own_classes = trainable_layers(graph).classifier.out_channels
    resolved = resolve_scheme(scheme, graph)
    for head in (None, classes) if own_classes == classes else (classes,):
        for residual in (False, True):
            if layout_hash(identity, resolved, head, residual) == layout:
                final = prepare(graph, head)
                metadata = load_metadata(model) or ModelMetadata()
                fields = state_layout(final, resolved, residual)
                return FactoryNetwork(model, final, fields, layout, metadata, head is not None)
    raise _other_network(model, scheme)


def _find_language(model: Path, layout: str, scheme: str) -> FactoryNetwork:
    """:func:`find_network` for a language model."""
    graph = with_bias(language_graph(load_language(model), model.stem))
    resolved = resolve_language(scheme, graph)
    if layout_hash(hashlib.sha256(network_bytes(model)).digest(), resolved, None, False) != layout:
        raise _other_network(model, scheme)
    return FactoryNetwork(model, prepare(graph), language_layout(graph, resolved), layout, ModelMetadata())


def _other_network(model: Path, scheme: str) -> DataError:
    return DataError(
        f"the device's network was not built from {model} with the scheme '{scheme}': give the file that it was built "
        f"from, and with --train the scheme if that was a file"
    )


def write_trained(network: FactoryNetwork, state: TrainedState, path: Path, names: tuple[str, ...] = ()) -> None:
    """Write the trained network and its MODEL.json, both or neither; ``names`` are those of its classes, in place of
    the state's. A class that was never taught is called by its number. A language model becomes an .lm. DataError."""
    if network.language:
        _write_language(network, state, path)
        return
    classes = trainable_layers(network.graph).classifier.out_channels
    if names and len(names) != classes:
        raise DataError(f"{len(names)} class names are given, but the network has {classes} classes")
    taught = state.class_names
    kept = names or (taught + tuple(str(k) for k in range(len(taught), classes)) if taught else network.class_names)
    content = tflite_bytes(apply_state(network.graph, network.layout, state.data))
    write_network(path, content, network.metadata.override(classes=kept))


def _write_language(network: FactoryNetwork, state: TrainedState, path: Path) -> None:
    trained = with_constants(load_language(network.path), apply_state(network.graph, network.layout, state.data))
    try:
        path.write_bytes(save_language(trained))
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def read_network(network: FactoryNetwork, path: Path) -> bytes:
    """The state that a .tflite, or an .lm, of the same shape stands for.

    DataError where it differs from the factory's network in anything that is not trained.
    """
    candidate = prepare(with_bias(language_graph(load_language(path))) if network.language else load_tflite(path))
    try:
        given = _matched(network.graph, candidate)
        data = state_of(given, network.layout)
    except (KeyError, ValueError, ModelError) as error:
        raise DataError(f"{path} has other layers than {network.path}: push a network of the same shape") from error
    rebuilt = apply_state(network.graph, network.layout, data)
    for tensor in rebuilt.constants():
        theirs = given.tensor(tensor.name)
        assert tensor.data is not None and theirs.data is not None
        if tensor.quant != theirs.quant or not np.array_equal(tensor.data.ravel(), theirs.data.ravel()):
            raise DataError(
                f"{path} differs from {network.path} in '{tensor.name}' beyond what the scheme trains: it cannot "
                "become the device's network without building the firmware anew"
            )
    return data


def write_state(state: TrainedState, path: Path) -> None:
    """The state as an .npz. DataError where it cannot be written."""
    try:
        np.savez(
            path,
            state=np.frombuffer(state.data, np.uint8),
            layout=np.array(state.layout),
            scheme=np.array(state.scheme),
            steps=np.array(state.steps),
            class_names=np.array(state.class_names, np.str_),
        )
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def read_state(path: Path) -> TrainedState:
    """What :func:`write_state` wrote. DataError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return TrainedState(
                archive["state"].astype(np.uint8).tobytes(),
                str(archive["layout"]),
                str(archive["scheme"]),
                int(archive["steps"]),
                tuple(map(str, archive["class_names"])) if "class_names" in archive else (),
            )
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no trained state: give a file that 'tinyengine pull' wrote") from error


def _matched(factory: Graph, candidate: Graph) -> Graph:
    """``candidate`` with the factory's names for its tensors, paired along equal operators. ValueError where the two
    have other operators or shapes."""
    names: dict[str, str] = {}
    for mine, theirs in zip(factory.operators, candidate.operators, strict=True):
        if mine.kind != theirs.kind or mine.attrs != theirs.attrs:
            raise ValueError(f"{theirs.kind} instead of {mine.kind}")
        for a, b in zip((*mine.inputs, *mine.outputs), (*theirs.inputs, *theirs.outputs), strict=True):
            x, y = factory.tensor(a), candidate.tensor(b)
            if x.shape != y.shape or x.dtype != y.dtype or names.setdefault(b, a) != a:
                raise ValueError(f"tensor {b}")
    tensors = {names[name]: tensor for name, tensor in candidate.tensors.items() if name in names}
    return Graph(candidate.name, tensors, factory.operators, factory.inputs, factory.outputs)
