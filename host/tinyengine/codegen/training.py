"""The part of the generated code that trains: the state, its factory values, and the functions of the trainer."""

from __future__ import annotations

import numpy as np

from tinyengine.codegen.storage import Storage
from tinyengine.codegen.values import string_literal
from tinyengine.kernels.base import CArray
from tinyengine.schedule.training import TrainingProgram
from tinyengine.training.state import ALIGNMENT, state_of

FACTORY = "factory_state"


def factory_state(program: TrainingProgram) -> CArray:
    """The state before any training."""
    return CArray(FACTORY, np.frombuffer(state_of(program.graph, program.layout), np.uint8))


def state_definition(program: TrainingProgram, own: Storage) -> str:
    """Trained constants, as the layers' parameters refer to them, and their velocities."""
    state = own.kept(f"uint8_t {own.state}[{program.layout.size}]", ALIGNMENT)
    return state + (own.kept(f"float {own.velocity}[{program.velocities}]") if program.velocities else "")


def trainer_definition(
    program: TrainingProgram, layout: str, own: Storage, step: list[str], evaluate: list[str]
) -> str:
    """reset, step, evaluate, and the te_trainer with ``layout``; ``step`` and ``evaluate`` are statements over
    ``context``."""
    state, velocity = own.state, own.velocity if program.velocities else "NULL"
    rest = f"\n    memset({velocity}, 0, sizeof {velocity});" if program.velocities else ""
    return f"""static void reset(void) {{
    memcpy({state}, {own.prefix}_{FACTORY}, sizeof {state});{rest}
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
    .scheme = {string_literal(program.scheme.name)},
    .layout = {string_literal(layout)},
    .classes = {program.classes},
    .state = {state},
    .state_bytes = sizeof {state},
    .trained_weights = {program.layout.trained_weights}u,
    .trained_biases = {program.layout.trained_biases}u,
    .velocity = {velocity},
    .velocity_count = {program.velocities}u,
    .float_gradients = {int(program.gradients == "float32")},
    .reset = reset,
    .step = step,
    .evaluate = evaluate,
}};
"""


def _indented(statements: list[str]) -> str:
    return "\n".join(f"    {statement}" for statement in statements)
