"""A small upstream with a patch series, and a work folder for it."""

from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.mirror import ensure_commit
from snakedev.sources.patch_file import body_digest, series
from snakedev.sources.series_pin import SeriesPin, read_pins
from snakedev.sources.source import make_source
from snakedev.store.layout import Layout
from snakedev.store.source_specs import SourceSpec
from snakedev.workbench.earlier import Earlier
from snakedev.workbench.edit import edit
from snakedev.workbench.export import export
from tests.unit.repositories import git, repository

LINES = "".join(f"line {number}\n" for number in range(40))


class Bench:
    """A small upstream with a series of three patches, and a work folder for it."""

    def __init__(self, tmp_path: Path, running, origin: str):
        self.tmp, self.running, self.origin = tmp_path, running, origin
        self.layout = Layout(tmp_path / "results")
        self.upstream, self.patches = tmp_path / "upstream", tmp_path / "patches/tiny"
        self.folder = tmp_path / "work/tiny"
        self.version_files = {}
        self.gone: set[str] = set()
        # ignored by upstream's own rules, and part of it all the same
        files = {"a.txt": LINES, "b.txt": LINES, ".gitignore": "*.log\n", "kept.log": "kept\n"}
        self.pin = repository(self.upstream, files)
        self.say("a.txt", "line 3", "ONE", "Say one")
        self.say("a.txt", "line 20", "TWO", "[Core] Say two")
        self.say("b.txt", "line 3", "THREE", "Say three")
        git(self.upstream, "format-patch", "-q", "-o", self.patches, self.pin)
        git(self.upstream, "reset", "--quiet", "--hard", self.pin)

    def say(self, file, old, new, message, folder=None):
        """Commit a replacement of text."""
        folder = folder or self.upstream
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(f"{old}\n", f"{new}\n", 1))
        git(folder, "commit", "--quiet", "--all", "-m", message)
        return git(folder, "rev-parse", "HEAD")

    @property
    def files(self) -> tuple[Path, ...]:
        return series(self.patches, self.origin)

    @property
    def spec(self) -> SourceSpec:
        if self.origin == "git":
            pin = GitPin(url=str(self.upstream), commit=self.pin)
        else:
            pin = ReleasePin(name="tiny", version=self.pin[:8], sha256="0" * 64)
        return self._source(self.origin, SeriesPin(version=self.pin[:8], pin=pin))

    def _source(self, origin: str, on: SeriesPin) -> SourceSpec:
        files = series(self.patches, origin)
        return SourceSpec(
            repo="tiny",
            origin=origin,
            pin=on.pin,
            pin_identity=on.pin.model_dump(exclude={"url"}),
            version=on.version,
            version_files=self.version_files,
            patches=files,
            patch_bodies=tuple(map(body_digest, files)),
        )

    @property
    def made_on(self) -> list[SourceSpec]:
        """The sources that the series says it was made on, where that is another pin."""
        known = read_pins(self.patches)
        found = [self._source(origin, known[origin]) for origin in known]
        own = [source for source in found if source.origin == self.origin]
        return [] if self.spec in own else [*own, *(one for one in found if one not in own)]

    @property
    def archive(self) -> Path | None:
        """The release of the pin, or its commit in the mirror."""
        return self.fetch(self.spec)

    def fetch(self, spec: SourceSpec) -> Path | None:
        """Have a pin as a registry or a forge gives it, unless it is gone from there."""
        if spec.version in {commit[:8] for commit in self.gone}:
            raise UserError(f"tiny: {spec.version} is not served")
        if isinstance(spec.pin, GitPin):
            commit = spec.pin.commit
            ensure_commit(self.layout, "tiny", spec.pin.url, commit, False, self.running)
            return None
        path = self.tmp / f"tiny-{spec.pin.version}.tar.gz"
        git(self.upstream, "archive", "--prefix=tiny/", "-o", path, spec.pin.version)
        return path

    def edit(self) -> str:
        with Earlier(self.made_on, self.layout, self.fetch, self.running) as earlier:
            edit(self.spec, self.layout, self.archive, self.folder, self.running, earlier)
        return self.said()

    def export(self) -> str:
        export(self.spec, self.folder, self.patches, self.running)
        return self.said()

    def source(self):
        return make_source(self.spec, self.layout, self.archive, self.running)

    def said(self) -> str:
        return self.running.log_path.read_text()

    def git(self, *arguments) -> str:
        return git(self.folder, *arguments)

    def subjects(self) -> list[str]:
        return self.git("log", "--reverse", "--format=%s", "pin..HEAD").splitlines()

    def snapshot(self) -> dict[str, bytes]:
        return {str(f.relative_to(self.patches)): f.read_bytes() for f in self.files}
