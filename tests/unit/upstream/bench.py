"""A project whose one repo has two patches, each to a file of its own, and the repo's upstream."""

from pathlib import Path

import yaml

from snakedev.bump.target import Places
from snakedev.config.read import check
from snakedev.fetch.index_pages import PackageIndex
from snakedev.plan.sources import Sources
from snakedev.reports.upstream.record import Draft, RepoKit
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout
from snakedev.upstream.kit import Ran, make_kit
from tests.unit.bump.bench import FILES, BumpBench
from tests.unit.repositories import commit, git, repository


class KitBench:
    """The project; its upstream has the files of the pin, and moves on."""

    def __init__(self, bench: BumpBench, upstream: Path):
        self.bench, self.upstream = bench, upstream
        repository(upstream, FILES)
        self.ask(url=str(upstream), branch="main")
        for number in (1, 2):
            self.say(number, "Upstream-Status: Pending")

    def ask(self, **rules: object) -> None:
        """Write what upstream asks of patches."""
        path = self.bench.patches / "upstream.yaml"
        path.write_text(yaml.safe_dump(rules), encoding="utf-8")

    def patch(self, number: int) -> Path:
        """A patch file of the series."""
        (path,) = self.bench.patches.glob(f"{number:04}-*.patch")
        return path

    def say(self, number: int, text: str) -> None:
        """Have a patch's message end with a text, below its subject."""
        path = self.patch(number)
        head, _, rest = path.read_text().partition("\n---\n")
        subject = head.partition("\n\n")[0]
        path.write_text(f"{subject}\n\nBecause.\n\n{text}\n---\n{rest}")

    def also(self, number: int, files: dict[str, str], subject: str, text: str) -> None:
        """Write another patch, made on the pin with the series before it."""
        made = self.bench.folder.parent / f"made-{number}"
        repository(made, FILES)
        for path in sorted(self.bench.patches.glob("*.patch")):
            git(made, "am", "--quiet", path.resolve())
        commit(made, files)
        git(made, "commit", "--amend", "--quiet", "-m", f"{subject}\n\nBecause.\n\n{text}")
        options = ["--zero-commit", "--no-signature", "--full-index", f"--start-number={number}"]
        git(made, "format-patch", "--quiet", *options, "-1", "-o", self.bench.patches.resolve())

    def moves_on(self, files: dict[str, str]) -> str:
        """Commit on upstream's branch; returns the commit."""
        return commit(self.upstream, files)

    def make(self) -> RepoKit:
        """Make the kit."""
        config = check(yaml.safe_load(self.bench.config))
        layout, running = Layout.of(config), self.bench.running
        index = PackageIndex(layout.cache / "index", running, offline=False)
        sources = Sources(config, Artifacts(layout), self.bench.folder)
        return make_kit(Places(config, layout, index, running), sources, "tiny", Ran())

    def draft(self, number: int) -> Draft:
        """The draft of a patch in a kit that is made now."""
        return next(d for d in self.make().drafts if d.patch.name == self.patch(number).name)

    @property
    def tree(self) -> Path:
        """The repository with the branches."""
        return self.bench.folder / "results/upstream/tiny/tree"
