"""The part of the generated code that trains: the state, its factory values, and the functions of the trainer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tinyengine.codegen.values import string_literal
from tinyengine.kernels.base import CArray
from tinyengine.schedule.training import TrainingProgram
from tinyengine.training.layers import trainable_layers
from tinyengine.training.state import state_of

FACTORY = "factory_state"
STATE_ALIGNMENT = 8


@dataclass(frozen=True, eq=False)
class TrainingSource:
    """``factory``: the state before any training, uint8."""

    scheme: str
    layout: str  # te_trainer.layout
    classes: int
    factory: CArray
    trained_weights: int
    trained_biases: int
    velocities: int = 0  # float32 beside the state; 0: no momentum, no batches
    float_gradients: bool = False

    @property
    def state_bytes(self) -> int:
        return self.factory.data.size


def training_source(program: TrainingProgram, layout: str) -> TrainingSource:
    """What the generated code says about training; ``layout``: te_trainer.layout."""
    parts = program.layout
    factory = np.frombuffer(state_of(program.graph, parts), np.uint8)
    classes = trainable_layers(program.graph).classifier.out_channels
    return TrainingSource(
        program.scheme.name,
        layout,
        classes,
        CArray("factory_state", factory),
        parts.trained_weights,
        parts.trained_biases,
        program.velocities,
        program.gradients == "float32",
    )


def state_definition(training: TrainingSource) -> str:
    """Trained constants, as the layers' parameters refer to them, and their velocities."""
    state = f"static uint8_t state[{training.state_bytes}] __attribute__((aligned({STATE_ALIGNMENT})));\n"
    return state + (f"static float velocity[{training.velocities}];\n" if training.velocities else "")


def trainer_definition(training: TrainingSource, prefix: str, step: list[str], evaluate: list[str]) -> str:
    """reset, step, evaluate, and the te_trainer; ``step`` and ``evaluate`` are statements over ``context``."""
    velocity = "velocity" if training.velocities else "NULL"
    rest = "\n    memset(velocity, 0, sizeof velocity);" if training.velocities else ""
    return f"""static void reset(void) {{
    memcpy(state, {prefix}_{FACTORY}, sizeof state);{rest}
}}

static te_train_result step(const te_train_sample *sample, const te_train_update *update) {{
    te_train_context context = te_train_begin(sample, update, {velocity});
{_indented(step)}
    return context.result;
}}

static te_train_result evaluate(const te_train_sample *sample) {{
    te_train_context context = {{.sample = *sample}};
{_indented(evaluate)}
    return context.result;
}}

static const te_trainer trainer = {{
    .scheme = {string_literal(training.scheme)},
    .layout = {string_literal(training.layout)},
    .classes = {training.classes},
    .state = state,
    .state_bytes = sizeof state,
    .trained_weights = {training.trained_weights}u,
    .trained_biases = {training.trained_biases}u,
    .velocity = {velocity},
    .velocity_count = {training.velocities}u,
    .float_gradients = {int(training.float_gradients)},
    .reset = reset,
    .step = step,
    .evaluate = evaluate,
}};
"""


def _indented(statements: list[str]) -> str:
    return "\n".join(f"    {statement}" for statement in statements)
