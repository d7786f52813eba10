"""`snakemake bump`: moving pins to newer releases, with all that follows from it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.records import write_text
from snakedev.base.yaml_file import read_yaml
from snakedev.bump import pins, series, steps
from snakedev.bump.finish import finished
from snakedev.bump.guard import BumpState, refuse_uncommitted, refuse_work
from snakedev.bump.target import Places, Target, chosen, is_version
from snakedev.bump.upstream import full_commit
from snakedev.config.explain import one_of
from snakedev.config.fields import NEWEST
from snakedev.config.model import Config
from snakedev.config.read import check
from snakedev.config.repos import GitPin
from snakedev.config.source_facts import SourceIdentity, facts_file
from snakedev.fetch.index_pages import PackageIndex
from snakedev.plan import checks
from snakedev.plan.sources import Sources
from snakedev.reports.bump.record import BumpRecord, MoveRecord, PassedOver
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout

CONFIG = "config.yaml"


def bump(values: Mapping[str, Any], project: Path, running: Job) -> BumpRecord:
    """Move the pins that a configuration's ``values`` name; returns what became of each.

    Raises UserError, with nothing written, for what cannot be moved. A move that stops for a person
    raises nothing: its record says why, and the same call goes on with it.
    """
    config = check(values)
    layout = Layout.of(config)
    index = PackageIndex(
        layout.cache / "index", running, offline=False, torch_index=config.torch_index("cpu")
    )
    places = Places(config, layout, index, running)
    moves = [_moved(places, values, project, *one) for one in asked(config).items()]
    return BumpRecord(made=datetime.now(UTC), python=config.interpreter.version, moves=tuple(moves))


def asked(config: Config) -> dict[str, str]:
    """Where each pin is to be moved; raises UserError for one that cannot be."""
    wanted = dict(config.bump) or {"vllm": NEWEST}
    problems = [line for repo, place in wanted.items() if (line := _problem(config, repo, place))]
    if problems:
        raise UserError("\n".join(f"bump.{line}" for line in problems))
    return wanted


def _problem(config: Config, repo: str, place: str) -> str | None:
    entry = config.repos.get(repo)
    if entry is None:
        return f"{repo}: there is no repo '{repo}': {one_of(repo, sorted(config.repos))}"
    if repo in config.work:
        return f"{repo}: it is built from work/{repo} (`work`), and a pin's move is about patches/"
    released = entry.release is not None and entry.release.kind == "sdist"
    if config.origin_of(repo) == "release":
        if not released:
            return (
                f"{repo}: only source distributions of the package index are looked up: move its "
                f"pin by hand"
            )
        if place != NEWEST and not is_version(place):
            return (
                f"{repo}: '{place}' is no release's version, and origin is release: give one, or "
                f"add `origin=git` for a branch, a tag or a commit"
            )
    elif not released and (place == NEWEST or is_version(place)):
        return (
            f"{repo}: it has no release that newer ones could be looked up of: name a branch, a "
            f"tag or a full commit"
        )
    return None


def _moved(
    places: Places, values: Mapping[str, Any], project: Path, repo: str, wanted: str
) -> MoveRecord:
    """Move one pin, or go on with a move that was not done."""
    config, running = places.config, places.running
    entry = _in_file(config, project, repo)
    file = places.layout.bump_state(repo)
    state = BumpState.read(file) if file.is_file() else None
    if state is not None and state.pin == entry and not state.done:
        if wanted not in (NEWEST, state.asked, state.move.after):
            raise UserError(
                f"bump.{repo}: a move to {state.move.after} is under way: go on with it by "
                f"`snakemake bump`, or undo it by `git checkout .`"
            )
        running.say(f"{repo}: going on with the move to {state.move.after}")
        return finished(state, places, project)
    with chosen(places, repo, wanted) as (target, passed):
        for one in passed:
            running.say(f"{repo} {one.version} is passed over: {one.why}")
        if target is None:
            at = steps.place_of(config, repo)
            running.say(f"{repo}: no news: nothing that it could be moved to is newer than {at}")
            return _no_news(config, repo, passed)
        refuse_uncommitted(project, repo)
        refuse_work(Sources(config, Artifacts(places.layout), project), repo)
        state, moved = _begun(places, values, project, repo, wanted, target, passed)
    return finished(state, replace(places, config=moved), project)


def _no_news(config: Config, repo: str, passed: list[PassedOver]) -> MoveRecord:
    at = steps.place_of(config, repo)
    return MoveRecord(
        repo=repo,
        origin=config.origin_of(repo),
        before=at,
        after=at,
        state="no news",
        passed=tuple(passed),
    )


def _begun(
    places: Places,
    values: Mapping[str, Any],
    project: Path,
    repo: str,
    wanted: str,
    target: Target,
    passed: list[PassedOver],
) -> tuple[BumpState, Config]:
    """Look at what a move brings, and write the new pin; nothing is written where it cannot be."""
    config, running = places.config, places.running
    changes, told = _changes(places, repo, target)
    applied = changes.applied(values)
    moved = check(applied)
    checks.refuse(moved)
    text = (project / CONFIG).read_text(encoding="utf-8")
    after = changes.written(text)
    envs, sources = project / "envs", Sources(config, Artifacts(places.layout), project)
    looked = steps.looked_at(places, sources, repo, target)
    state = BumpState(
        asked=wanted,
        pin=_plain(applied["repos"][repo]),
        move=MoveRecord(
            repo=repo,
            origin=config.origin_of(repo),
            before=steps.place_of(config, repo),
            after=target.upstream.place,
            state="begun",
            passed=tuple(passed),
            steps=looked,
            pins=tuple(changes.told(values)),
            replay=series.as_it_stands(sources, repo),
            by_hand=(*told, *steps.comments(after, text, repo, config.repos[repo].version)),
        ),
    )
    state.write(places.layout.bump_state(repo))
    write_text(project / CONFIG, after)
    if target.upstream.facts is not None:
        names = SourceIdentity.pinned(repo, moved.repos[repo], moved.origin_of(repo))
        facts = target.upstream.facts.model_copy(update=names.model_dump())
        facts.write(facts_file(envs, repo))
    running.say(f"{repo}: {CONFIG} names {target.upstream.place}")
    return state, moved


def _changes(places: Places, repo: str, target: Target) -> tuple[pins.PinChanges, list[str]]:
    """What the move changes in config.yaml, and what of it a person should know."""
    config, upstream = places.config, target.upstream
    if isinstance(upstream.pin, GitPin):
        return pins.of_commit(repo, upstream.pin.commit), [
            f"repos.{repo}.version stays {config.repos[repo].version}: a commit says none"
        ]
    version, sha256 = upstream.pin.version, upstream.pin.sha256
    commit = full_commit(config, repo, version, upstream.commit, places.layout, places.running)
    if commit is None and config.origin_of(repo) == "git":
        raise UserError(
            f"bump.{repo}: origin is git, and which commit {version} is could not be found out: "
            f"name the commit, or the tag, in place of the version"
        )
    changes = pins.of_release(config, repo, version, sha256, commit, upstream.commit)
    told = []
    if commit is None and config.repos[repo].git is not None:
        told.append(
            f"repos.{repo}.git became a comment, as its repository did not say which commit "
            f"{version} is: put that in, and take the # away"
        )
    return changes, told + pins.add_kernels(changes, config, repo, version, places.index)


def _in_file(config: Config, project: Path, repo: str) -> dict[str, Any]:
    """A repo's entry in config.yaml; raises UserError where the run has another one."""
    values = read_yaml(project / CONFIG)
    entry = _plain(values["repos"].get(repo))
    if entry is None or check(values).repos[repo] != config.repos[repo]:
        raise UserError(
            f"bump.{repo}: repos.{repo} is not as {CONFIG} has it, which a move writes: leave out "
            f"what `--config` or `--configfile` say of it"
        )
    return dict(entry)


def _plain(values: Any) -> Any:
    return {str(k): _plain(v) for k, v in values.items()} if isinstance(values, Mapping) else values
