"""The second half of a move: what follows from the pin that config.yaml names by then."""

from pathlib import Path
from typing import Any

from snakedev.bump import series
from snakedev.bump.guard import BumpState
from snakedev.bump.target import Places
from snakedev.plan.sources import Sources
from snakedev.reports.bump.record import MoveRecord
from snakedev.store.artifacts import Artifacts


def finished(state: BumpState, places: Places, project: Path) -> MoveRecord:
    """Go on with a move as far as that goes without a person; what is done is written down.

    ``places`` has the configuration with the moved pin.
    """
    move, file = state.move, places.layout.bump_state(state.move.repo)

    def reached(**known: Any) -> MoveRecord:
        nonlocal move
        move = move.model_copy(update=known)
        state.model_copy(update={"move": move}).write(file)
        return move

    if move.state in ("begun", "conflict"):
        sources = Sources(places.config, Artifacts(places.layout), project)
        done = series.moved(move.replay, sources, places, move.repo)
        if done.problem is not None:
            return reached(state="conflict", problem=done.problem, replay=done.patches)
        reached(state="locks", problem=None, replay=done.patches)
    places.running.say(f"{move.repo}: moved to {move.after}")
    return reached(state="moved")
