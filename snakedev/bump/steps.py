"""What a move brings: each release on the way, and the series as it was tried on it."""

from collections.abc import Mapping, Sequence
from functools import partial

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.base.yaml_edit import comments_in
from snakedev.bump.target import Places, Target
from snakedev.bump.upstream import Upstream, release_laid_out
from snakedev.config.fields import Variant
from snakedev.config.model import Config
from snakedev.config.repos import GitPin
from snakedev.config.source_facts import SourceFacts
from snakedev.environments.requirements import marker_environment
from snakedev.fetch.pinned import fetch_pinned
from snakedev.plan.sources import Sources
from snakedev.recipes.registry import RECIPE_NUMBERS
from snakedev.reports.bump.record import Difference, StepRecord
from snakedev.reports.patches.record import PatchTrialRecord
from snakedev.reports.patches.trial import make_trial, served
from snakedev.store.source_specs import SourceSpec
from snakedev.store.specs import PatchTrialSpec
from snakedev.workbench.series import digests


def place_of(config: Config, repo: str) -> str:
    """Where a repo's pin is, for a reader."""
    version, pin = config.repos[repo].version, config.pin_of(repo)
    return f"{version} ({pin.commit[:12]})" if isinstance(pin, GitPin) else version


def comments(text: str, before: str, repo: str, version: str) -> list[str]:
    """The comments on a repo in config.yaml that name a version, and did so ``before``."""
    return [
        f"config.yaml, line {number}, still names {version}: {comment}"
        for number, comment in comments_in(text, ("repos", repo))
        if version in comment and f"# {comment}\n" in before
    ]


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Difference, ...]:
    """What came, went and changed, by name."""
    return tuple(
        Difference(what=name, before=before.get(name), after=after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def looked_at(
    places: Places, sources: Sources, repo: str, target: Target
) -> tuple[StepRecord, ...]:
    """What each release on the way to a target brings, and the target itself."""
    before, found = _known(sources, repo), []
    for release in target.on_the_way if places.config.bump_report.on_the_way else ():
        with release_laid_out(
            places.config, repo, release, places.layout, places.running
        ) as upstream:
            found.append(_step(places, sources, repo, upstream, before))
            before = upstream.facts
    return (*found, _step(places, sources, repo, target.upstream, before))


def _known(sources: Sources, repo: str) -> SourceFacts | None:
    """What is known of the source that is pinned; None for a repo of which the plan needs nothing,
    and where it is of another pin."""
    if repo not in sources.with_facts():
        return None
    try:
        return sources.facts(repo)
    except UserError:
        return None


def _step(
    places: Places,
    sources: Sources,
    repo: str,
    upstream: Upstream,
    before: SourceFacts | None,
) -> StepRecord:
    places.running.say(f"{repo}: looking at {upstream.place}")
    step = StepRecord(
        place=upstream.place,
        uploaded=upstream.uploaded,
        trial=_trial(places, sources.pinned_source(repo), upstream),
    )
    if upstream.facts is None or before is None:
        return step
    variants, after = places.config.configured_variants(), upstream.facts
    python = places.config.interpreter.version
    asked = [_asked(facts.requirements, variants, python) for facts in (before, after)]
    build = [
        _asked(facts.build_requirements, variants, python) | _taken_in(facts)
        for facts in (before, after)
    ]
    return step.model_copy(
        update={"requirements": differences(*asked), "build": differences(*build)}
    )


def _trial(places: Places, pinned: SourceSpec, upstream: Upstream) -> PatchTrialRecord | None:
    """The series as it stands, tried on a source; None where that is of the other origin."""
    pin = upstream.pin
    if not pinned.patches or isinstance(pin, GitPin) != (pinned.origin == "git"):
        return None
    names = (path.name for path in pinned.patches)
    spec = PatchTrialSpec(
        repo=pinned.repo,
        origin=pinned.origin,
        pin=pin,
        pin_identity={"bump": pin.model_dump(mode="json")},
        version=upstream.place,
        version_files=pinned.version_files,
        patches=pinned.patches,
        patch_files=tuple(zip(names, digests(pinned.patches), strict=True)),
        written_for=pinned,
        written_for_key=pinned.key,
        recipe_number=RECIPE_NUMBERS["patches"],
    )
    fetch = partial(fetch_pinned, config=places.config, running=places.running)
    # a move that was stopped, or undone, and begins anew tries nothing again
    known = places.layout.stamp(spec.kind, spec.repo, spec.key)
    if not known.is_file():
        releases = partial(served, places.index)
        make_trial(spec, places.layout, fetch, places.running, releases).write(known)
    return PatchTrialRecord.read(known)


def _asked(
    requirements: Mapping[str, Sequence[str]], variants: Sequence[Variant], python: str
) -> dict[str, str]:
    """What is asked for here, by name; where variants do so otherwise, by name and variant."""
    found: dict[str, dict[str, list[str]]] = {}
    environment = marker_environment(python)
    for variant in variants:
        for text in requirements.get(variant, ()):
            asked = Requirement(text)
            if asked.marker is None or asked.marker.evaluate(environment):
                asked.marker = None
                name: str = canonicalize_name(asked.name)
                found.setdefault(name, {}).setdefault(variant, []).append(str(asked))
    told: dict[str, str] = {}
    for name, by_variant in found.items():
        texts = {variant: "; ".join(dict.fromkeys(lines)) for variant, lines in by_variant.items()}
        if len({*texts.values()}) == 1:
            told[name] = next(iter(texts.values()))
        else:
            told |= {f"{name} ({variant})": text for variant, text in texts.items()}
    return told


def _taken_in(facts: SourceFacts) -> dict[str, str]:
    """The other projects that a build takes in, as a reader compares them."""
    projects = {
        name: f"{project.commit} of {project.repository} ({project.variable})"
        for name, project in facts.external_projects.items()
    }
    return projects | {f"{name} (tag)": tag for name, tag in facts.tags.items()}
