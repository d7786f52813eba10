"""The second half of a move: what follows from the pin that config.yaml names by then."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError
from snakedev.bump import proposals, series
from snakedev.bump.guard import BumpState
from snakedev.bump.target import Places
from snakedev.config.source_facts import read_facts
from snakedev.environments.lock_compiler import compile_locks
from snakedev.environments.lock_inputs import all_facts
from snakedev.environments.locks import of_variants
from snakedev.plan.buildable import Buildable
from snakedev.plan.sources import Sources
from snakedev.reports.bump.record import MoveRecord
from snakedev.store.artifacts import Artifacts


def finished(state: BumpState, places: Places, project: Path) -> MoveRecord:
    """Go on with a move as far as that goes without a person; what is done is written down.

    ``places`` has the configuration with the moved pin.
    """
    move, file = state.move, places.layout.bump_state(state.move.repo)
    sources = Sources(places.config, Artifacts(places.layout), project)

    def reached(**known: Any) -> MoveRecord:
        nonlocal move
        move = move.model_copy(update=known)
        state.model_copy(update={"move": move}).write(file)
        return move

    if move.state in ("begun", "conflict"):
        done = series.moved(move.replay, sources, places, move.repo)
        if done.problem is not None:
            return reached(state="conflict", problem=done.problem, replay=done.patches)
        seen = tuple(dict.fromkeys((*move.by_hand, *done.gone)))
        reached(state="locks", problem=None, replay=done.patches, by_hand=seen)
    if move.repo in sources.with_facts():
        reached(**_proposals(move, sources, places))
        if problem := _locks(places, project / "envs"):
            return reached(problem=problem)
        reached(by_hand=tuple(dict.fromkeys((*move.by_hand, *_overtaken(sources)))))
    places.running.say(f"{move.repo}: moved to {move.after}")
    return reached(state="moved", problem=None)


def _proposals(move: MoveRecord, sources: Sources, places: Places) -> dict[str, Any]:
    """Propose exclusions for what has no wheel; returns what is known of the move by that."""
    folder, repo, config = sources.project / "envs", move.repo, places.config
    facts = read_facts(folder, sources.identity(repo), config.origin_of(repo))
    try:
        found = proposals.closures(places, facts, folder)
    except CommandError as error:
        # uv says in the job's log why; the locks will say it again
        told = f"which of its requirements have wheels is not known: {error}"
        places.running.say("; ".join([told, *error.why]))
        return {"by_hand": tuple(dict.fromkeys((*move.by_hand, told)))}
    proposed = proposals.proposed(places, found, folder)
    for one in proposed:
        places.running.say(f"proposed to be left out: {one.package}: {one.reason}")
    proposals.write_proposals(proposed, f"{repo} {move.after}", folder)
    asked = {name for closure in found for name in closure.packages}
    lines = [
        *proposals.left_out(places, move, asked, folder, sources.work_folder(repo)),
        *proposals.needless(places, asked, facts),
    ]
    return {
        "exclusions": (*move.exclusions, *proposed),
        "by_hand": tuple(dict.fromkeys((*move.by_hand, *lines))),
    }


def _overtaken(sources: Sources) -> Iterator[str]:
    """A line for each repacked wheel of which the locks now have another version."""
    buildable = Buildable(sources)
    for repo, entry in sources.config.repos.items():
        try:
            if entry.enabled:
                buildable.require_locked(repo)
        except UserError as error:
            yield str(error)


def _locks(places: Places, folder: Path) -> str | None:
    """Compile the locks; returns why some could not be, none being written then."""
    config = places.config
    locks = of_variants(config.configured_variants(), tests=config.has_tests)
    indexes = {lock.name: config.torch_index(lock.variant) for lock in locks}
    facts = all_facts(folder)
    try:
        compile_locks(folder, indexes, places.layout.python, facts, places.running)
    except UserError as error:
        return str(error)
    return None
