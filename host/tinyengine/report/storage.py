"""What a board's flash gives to trained states, for a compiled network."""

from __future__ import annotations

from tinyengine.boards import Board
from tinyengine.compiler import CompiledModel
from tinyengine.project.budget import keeps_state
from tinyengine.sizes import exact_size, format_size


def storage_figures(compiled: CompiledModel, board: Board) -> dict[str, object]:
    """The entry ``storage`` of ``compile --board --json``; nothing for a network that is not trained."""
    if not compiled.training or board.storage is None:
        return {}
    return {
        "storage": {
            "slots": board.storage.report(),
            "state_bytes": compiled.trained_bytes,
            "fits": keeps_state(compiled, board),
        }
    }


def storage_sentence(compiled: CompiledModel, board: Board) -> str:
    """Where trained states are kept, or why they are not; empty for a network that is not trained."""
    if not compiled.training:
        return ""
    if board.storage is None:
        return "this board has no flash for trained states: they are lost with the power"
    if not keeps_state(compiled, board):
        return (
            f"a trained state of {exact_size(compiled.trained_bytes)} does not fit a slot of "
            f"{format_size(board.storage.slot_bytes)}: it is lost with the power"
        )
    return str(board.storage)
