"""The upstream kit of a repo: a branch and a draft for each patch, and what is open about it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.git import run_git
from snakedev.base.job import Job
from snakedev.base.records import write_text
from snakedev.base.text import first_of
from snakedev.bump.target import Places
from snakedev.config.repos import GitPin
from snakedev.fetch.indexes import public_address
from snakedev.fetch.pinned import fetch_pinned
from snakedev.plan.sources import Sources
from snakedev.reports.tests.record import TestsRecord
from snakedev.reports.upstream.record import Draft, Evidence, Note, RepoKit, Rule, State
from snakedev.sources.patch_file import PatchDetails, details, in_order, series
from snakedev.store.layout import Layout
from snakedev.store.publish import remove, scratch_in
from snakedev.store.source_specs import PinnedSpec
from snakedev.upstream import evidence as shown
from snakedev.upstream.branches import BASE, Branch, Branches
from snakedev.upstream.linters import Linters, lint, linters_of
from snakedev.upstream.mail import moved
from snakedev.upstream.newest import newest
from snakedev.upstream.note import STATUS, read_note
from snakedev.upstream.project import Project, read_project
from snakedev.upstream.text import commands, pull_request
from snakedev.workbench.earlier import Earlier

RECORD = "drafts.json"
_NOT_SENT: dict[str, tuple[State, str]] = {
    "Inappropriate": ("ours", "it is ours only"),
    "Denied": ("ours", "upstream does not want it"),
    "Inactive-Upstream": ("ours", "nobody is there to take it"),
    "Backport": ("upstream", "upstream has it"),
    "Accepted": ("upstream", "upstream has taken it"),
}


@dataclass(frozen=True)
class Ran:
    """What was run of the series as it is."""

    smokes: tuple[Path, ...] = ()
    """Records of smoke runs with the repo's wheel."""
    tests: Mapping[Path, TestsRecord] = field(default_factory=dict)
    """Records of upstream's tests of it, by their files."""
    environments: tuple[str, ...] = ()
    """The run environments that hold it."""


@dataclass(frozen=True)
class _Patch:
    path: Path
    patch: PatchDetails
    note: Note


def make_kit(places: Places, sources: Sources, repo: str, ran: Ran) -> RepoKit:
    """Make the branches and drafts of a repo's patches in results/upstream; nothing is sent.

    Raises UserError, before anything is fetched, for a patch or an upstream.yaml that is not right.
    """
    layout, running = places.layout, places.running
    folder = sources.project / "patches" / repo
    project = read_project(folder)
    patches = [_read(path) for path in _files(folder)]
    at = newest(places, repo, project)
    running.say(f"{repo}: {len(patches)} patches on {at.place}")
    origin = "git" if isinstance(at.pin, GitPin) else "release"
    spec = PinnedSpec(repo=repo, origin=origin, pin_identity={}, version=at.place, pin=at.pin)
    fetch = partial(fetch_pinned, config=places.config, running=running)
    archive = fetch(spec)
    made_on = [*sources.made_on(repo), sources.pinned_source(repo)]
    final = layout.drafts(repo)
    with scratch_in(final.parent) as scratch:
        branches = Branches(scratch / "tree", running)
        branches.lay(spec, layout, archive)
        with Earlier(made_on, layout, fetch, running) as earlier:
            branches.remember(earlier)
        linters = linters_of(branches.tree, branches.tree / ".git")
        ours = frozenset(o.path.name for o in patches if o.note.status in _NOT_SENT)
        maker = _Maker(branches, project, linters, places, ran, ours, final.resolve(), scratch)
        drafts = [maker.draft(one, patches[:number]) for number, one in enumerate(patches)]
        branches.settle()
        url = project.url if project else None
        kit = RepoKit(
            repo=repo,
            url=url and public_address(url),
            place=at.place,
            notes=(*at.notes, *(project.remember if project else ())),
            made=datetime.now(UTC),
            drafts=tuple(drafts),
        )
        kit.write(scratch / RECORD)
        (scratch / "diff").unlink(missing_ok=True)  # the last trial's
        scratch.chmod(0o755)
        if final.is_dir():
            remove(final)
        scratch.rename(final)
    return kit


def kits_there(layout: Layout, repos: Iterable[str]) -> list[RepoKit]:
    """The kits of repos that were made so far; one of another version of this project is none."""
    found = []
    for repo in repos:
        try:
            found.append(RepoKit.read(layout.drafts(repo) / RECORD))
        except UserError:
            continue
    return found


def _files(folder: Path) -> tuple[Path, ...]:
    """A repo's patches, those for one origin alone among them."""
    return in_order({*series(folder, "release"), *series(folder, "git")})


def _read(path: Path) -> _Patch:
    patch = details(path)
    return _Patch(path, patch, read_note(str(path), patch))


@dataclass(frozen=True)
class _Maker:
    """Makes the drafts of one repo."""

    branches: Branches
    project: Project | None
    linters: Linters | None
    places: Places
    ran: Ran
    left_out: frozenset[str]
    """The names of the patches that do not go upstream."""
    final: Path
    """Where the drafts will lie."""
    scratch: Path

    def draft(self, one: _Patch, before: Sequence[_Patch]) -> Draft:
        """What becomes of a patch of the series; ``before`` are those in front of it."""
        running: Job = self.places.running
        status = one.note.status or ""
        if status in _NOT_SENT:
            state, why = _NOT_SENT[status]
            told = f"{why}: {one.note.reason}" if one.note.reason else why
            return Draft(patch=one.patch, note=one.note, state=state, why=told)
        candidates = [b.path for b in before if b.note.status not in ("Backport", "Accepted")]
        branch = self.branches.put(one.path, one.note, candidates)
        draft = self._judged(one, branch)
        running.say(f"{one.path.name}: {draft.state}{f', {draft.why}' if draft.why else ''}")
        return draft

    def _judged(self, one: _Patch, branch: Branch) -> Draft:
        base = Draft(patch=one.patch, note=one.note, state="open")
        if branch.tried.verdict == "upstream":
            there = {"state": "upstream", "why": "upstream has that change"}
            return base.model_copy(update=there)
        if branch.name is None:
            files = [conflict.file for conflict in branch.tried.conflicts]
            told = f"it conflicts with upstream in {first_of(files)}"
            return base.model_copy(
                update={"state": "conflict", "why": told, "conflicts": branch.tried.conflicts}
            )
        draft = self._looked_at(base, one, branch, branch.name)
        unmet = [f"{rule.rule}: {rule.detail}" for rule in draft.rules if rule.met is False]
        if unmet:
            return draft.model_copy(update={"why": "; ".join(unmet)})
        if one.note.status == "Submitted":
            return draft.model_copy(update={"state": "submitted", "why": one.note.reason})
        if ours := [name for name in draft.stands_on if name in self.left_out]:
            what = f"it stands on {first_of(ours)}, which upstream does not get"
            return draft.model_copy(update={"why": what})
        if draft.stands_on:
            what = f"it stands on {first_of(draft.stands_on)}"
            return draft.model_copy(update={"state": "waits", "why": what})
        return draft.model_copy(update={"state": "ready"})

    def _looked_at(self, draft: Draft, one: _Patch, branch: Branch, name: str) -> Draft:
        """A draft that has a branch, with all that is known of it, and its files written."""
        tree, project = self.branches.tree, self.project
        tests = shown.brought(one.patch, project) if project else ()
        covered = shown.covering(one.patch, project, tree) if project else ()
        draft = draft.model_copy(
            update={
                "branch": name,
                "commit": run_git(["rev-parse", name], tree),
                "stands_on": tuple(path.name for path in branch.below),
                "merged": branch.tried.verdict == "conflict",
                "tests": tests,
                "covered_by": covered,
                "evidence": tuple(self._evidence(one.note, tests)),
                "range_diff": self.branches.range_diff(name, one.patch.subject),
                "rules": tuple(self._rules(one, name, tests, branch)),
            }
        )
        return self._written(draft, one)

    def _evidence(self, note: Note, tests: Sequence[str]) -> list[Evidence]:
        root = self.places.layout.stress
        stress = shown.of_stress(root, self.ran.environments, note.scenarios)
        tested = shown.of_tests(self.ran.tests, [*tests, *note.covered_by])
        return [*tested, *stress, *shown.of_smoke_runs(self.ran.smokes)]

    def _rules(self, one: _Patch, name: str, tests: Sequence[str], branch: Branch) -> list[Rule]:
        """Upstream's rules, and whether a patch meets them."""
        project, found = self.project, []
        if one.note.status is None:
            mend = f"write a line `{STATUS}: Pending`, or `Inappropriate [why]`, into its message"
            found.append(Rule(rule="its way upstream is known", met=False, detail=mend))
        if project is None:
            mend = f"write patches/{self.final.name}/upstream.yaml"
            return [*found, Rule(rule="where it goes is known", met=False, detail=mend)]
        if project.sign_off:
            told = "each commit says Signed-off-by: you say that, with your own name"
            found.append(Rule(rule="DCO", met=None, detail=told))
        if project.title is not None:
            met = re.match(project.title, one.note.title) is not None
            told = f"'{one.note.title}'" if met else f"'{one.note.title}' does not begin as asked"
            found.append(Rule(rule="the title's form", met=met, detail=told))
        if shown.wants_a_test(one.patch, project):
            found.append(self._tested(one.note, tests))
        if self.linters is not None:
            below = f"{name}^" if branch.below else BASE
            cache = self.places.layout.cache / "pre-commit"
            tree = self.branches.tree
            found.append(lint(tree, name, below, self.linters, cache, self.places.running))
        return found

    def _tested(self, note: Note, brought: Sequence[str]) -> Rule:
        """Whether a patch of code has a test: one that it brings, or upstream's, which it names."""
        gone = [path for path in note.covered_by if not (self.branches.tree / path).exists()]
        if gone:
            told = f"its message names {first_of(gone)}, which upstream does not have"
        elif brought:
            told = first_of(brought)
        elif note.covered_by:
            told = f"upstream's own: {first_of(note.covered_by)}"
        else:
            told = "it changes code, brings none, and names none of upstream's (`Covered-By: FILE`)"
        return Rule(rule="a test", met=not gone and bool(brought or note.covered_by), detail=told)

    def _written(self, draft: Draft, one: _Patch) -> Draft:
        """Write a draft's mail and text."""
        assert draft.branch is not None
        project = self.project
        stem = one.path.stem
        mail, text = self.final / f"{stem}.patch", self.final / f"{stem}.md"
        folder = Path(project.folder) if project and project.folder else None
        sent = self.branches.mail(draft.branch, folder)
        (self.scratch / mail.name).write_bytes(moved(sent, project.paths if project else {}))
        write_text(self.scratch / text.name, pull_request(draft, self.branches.tree))
        given: dict[str, object] = {"mail": str(mail), "text": str(text)}
        if project is not None:
            given["commands"] = commands(draft, project, mail, text, one.note.title)
        return draft.model_copy(update=given)
