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
    return f"""{_reset(program, own)}
static te_train_result step(const te_train_sample *sample, const te_train_update *update) {{
    te_train_context context = te_train_begin(sample, update, {_velocity(program, own)});
{_indented(step)}
    return context.result;
}}

static te_train_result evaluate(const te_train_sample *sample) {{
    te_train_context context = {{.sample = *sample}};
{_indented(evaluate)}
    return context.result;
}}

{_trainer(program, layout, own, [".step = step", ".evaluate = evaluate"])}"""


def segment_definition(
    program: TrainingProgram, layout: str, own: Storage, place: str, token: list[str], back: list[str]
) -> str:
    """reset, segment, and the te_trainer of a language model. ``token``: statements over ``context`` that run for each
    token, which lies at ``place``, ``back``: those behind the last one."""
    repeated = "\n".join(f"        {statement}" for statement in token)
    fields = [".segment = segment", f".segment_tokens = {program.segment}u"]
    return f"""{_reset(program, own)}
static te_train_result segment(const uint16_t *tokens, uint32_t count, const te_train_update *update) {{
    const te_train_sample none = {{0, 0}};
    te_train_context context = {{.judged = 1}};
    if (update) context = te_train_begin(&none, update, {_velocity(program, own)});
    context.rate = context.rate / (float)count;
    reset_states();
    for (uint32_t i = 0; i < count; i++) {{
        const int32_t token = tokens[i];
        memcpy({place}, &token, sizeof token);
        context.sample.label = tokens[i + 1];
{repeated}
    }}
    if (update) {{
{_indented([f"    {statement}" for statement in back])}
    }}
    context.result.loss = context.result.loss / (float)count;
    return context.result;
}}

{_trainer(program, layout, own, fields)}"""


def _velocity(program: TrainingProgram, own: Storage) -> str:
    return own.velocity if program.velocities else "NULL"


def _reset(program: TrainingProgram, own: Storage) -> str:
    """The function that brings the factory state back."""
    rest = f"\n    memset({own.velocity}, 0, sizeof {own.velocity});" if program.velocities else ""
    return f"""static void reset(void) {{
    memcpy({own.state}, {own.prefix}_{FACTORY}, sizeof {own.state});{rest}
}}
"""


def _trainer(program: TrainingProgram, layout: str, own: Storage, functions: list[str]) -> str:
    """The te_trainer, whose last fields are ``functions``."""
    own_functions = "".join(f"    {function},\n" for function in functions)
    return f"""static const te_trainer trainer = {{
    .scheme = {string_literal(program.scheme.name)},
    .layout = {string_literal(layout)},
    .classes = {program.classes},
    .state = {own.state},
    .state_bytes = sizeof {own.state},
    .trained_weights = {program.layout.trained_weights}u,
    .trained_biases = {program.layout.trained_biases}u,
    .velocity = {_velocity(program, own)},
    .velocity_count = {program.velocities}u,
    .float_gradients = {int(program.gradients == "float32")},
    .reset = reset,
{own_functions}}};
"""


def _indented(statements: list[str]) -> str:
    return "\n".join(f"    {statement}" for statement in statements)
