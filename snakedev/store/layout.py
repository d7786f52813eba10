"""Where everything under results/ lies; the only place that spells these paths."""

from dataclasses import dataclass
from pathlib import Path

from snakedev.config.model import Config
from snakedev.store.image_spec import ImageSpec
from snakedev.store.source_specs import CratesSpec, SourceSpec
from snakedev.store.spec import WORK_PREFIX, Spec
from snakedev.store.specs import EnvironmentSpec, ModelSpec, WheelSpec


@dataclass(frozen=True)
class Layout:
    """The paths of one results folder, and of the store, which may be another folder."""

    root: Path = Path("results")
    store: Path | None = None
    """The folder of sources, crates, wheels, models, smoke results and GIL trials, where others
    share it.
    Environments stay under ``root``: they name its interpreter, and are hard links into this
    machine's package cache."""
    working: bool = False
    """Whether a run builds from work folders: what it shows under plain names lies apart too."""
    python_version: str = "3.14"
    """The interpreter's version, as `3.14`."""
    sanitizer: str | None = None
    """What the interpreter is built with, if anything: it lies apart then."""

    @classmethod
    def of(cls, config: Config) -> "Layout":
        """The layout that a configuration asks for."""
        return cls(
            store=config.store,
            working=bool(config.work),
            python_version=config.interpreter.version,
            sanitizer=config.interpreter.sanitizer,
        )

    def folder(self, spec: Spec) -> Path:
        """Where a keyed artifact lies, made or not."""
        return self._keyed(type(spec), spec.place, spec.key)

    def _keyed(self, kind: type[Spec], place: str, key: str) -> Path:
        of_all = self.shared if kind.shared else self.root
        return (self.work if key.startswith(WORK_PREFIX) else of_all) / kind.folder(place, key)

    @property
    def shared(self) -> Path:
        """The folder of what several workflows may share."""
        return self.root if self.store is None else self.store

    @property
    def roots(self) -> Path:
        """What each workflow that shares the store reaches in it."""
        return self.shared / "roots"

    @property
    def work(self) -> Path:
        """What is made from work folders."""
        return self.root / "work"

    @property
    def views(self) -> Path:
        """Where the current artifacts are shown under plain names."""
        return self.work if self.working else self.root

    @property
    def interpreter(self) -> Path:
        """Home of the free-threaded interpreter."""
        if self.sanitizer is None:
            return self.root / "interpreter"
        return self.root / f"interpreter-{self.python_version}t-{self.sanitizer}"

    @property
    def python(self) -> Path:
        """The interpreter itself."""
        return self.interpreter / "bin" / f"python{self.python_version}t"

    @property
    def machine(self) -> Path:
        """The cached probe of this machine."""
        return self.root / "machine.json"

    def node(self, host: str) -> Path:
        """The cached probe of another machine that runs jobs."""
        return self.root / "machines" / f"{host}.json"

    def plan(self, run: str) -> Path:
        """What the head of a run hands to its jobs on other machines."""
        return self.root / "plans" / f"{run}.pickle"

    def lock(self, spec: Spec) -> Path:
        """What is held while a keyed artifact is made that takes long."""
        return self.root / "locks" / spec.kind / spec.place / spec.key

    @property
    def jobserver(self) -> Path:
        """The socket of the run's job server."""
        return self.root / ".jobserver"

    @property
    def downloads(self) -> Path:
        """Archives, checked against their sha256."""
        return self.root / "downloads"

    @property
    def cache(self) -> Path:
        """Caches that may be deleted at any time (ccache, apt lists, compiled kernels)."""
        return self.root / "cache"

    def mirror(self, repo: str) -> Path:
        """The bare partial clone of a repo."""
        return self.root / "git" / f"{repo}.git"

    def work_mirror(self, repo: str) -> Path:
        """The objects of a work folder's snapshots."""
        return self.work / "git" / f"{repo}.git"

    def source(self, repo: str, key: str) -> Path:
        """A patched source: `tree/` is a git checkout, `source.json` its record."""
        return self._keyed(SourceSpec, repo, key)

    def crates(self, repo: str, key: str) -> Path:
        """Vendored crates of a source: `vendor/`, `config.toml`, `crates.json`."""
        return self._keyed(CratesSpec, repo, key)

    def environment(self, name: str, key: str) -> Path:
        """A virtual environment, with env.json."""
        return self._keyed(EnvironmentSpec, name, key)

    def environment_view(self, name: str) -> Path:
        """The link to the current environment of a name."""
        return self.views / "envs" / name

    def build(self, variant: str, repo: str) -> Path:
        """The persistent checkout and build tree of a repo."""
        return self.root / "build" / variant / repo

    def wheel(self, variant: str, repo: str, key: str) -> Path:
        """A store folder with one wheel, wheel.json and build.log."""
        return self._keyed(WheelSpec, f"{variant}/{repo}", key)

    def wheelhouse(self, variant: str) -> Path:
        """The current wheels of a variant and their index."""
        return self.views / "wheelhouse" / variant

    def model(self, name: str, key: str) -> Path:
        """A model folder, with model.json."""
        return self._keyed(ModelSpec, name, key)

    def stock(self, variant: str) -> Path:
        """The environment with a stock vLLM on an ordinary Python, to measure beside ours."""
        return self.root / "bench" / f"stock-{variant}"

    def stock_packages(self, variant: str) -> Path:
        """The environment in which upstream's tests see stock wheels, on an ordinary Python."""
        return self.root / "envs" / f"stock-{variant}"

    def image(self, variant: str, key: str) -> Path:
        """A container image: an archive that tools load, with image.json."""
        return self._keyed(ImageSpec, variant, key)

    def image_view(self, variant: str) -> Path:
        """The link to the archive of a variant's current image."""
        return self.views / "image" / f"{variant}.tar"

    @property
    def bench_records(self) -> Path:
        """The records of all benchmark runs, and what is measured of one that was not finished."""
        return self.views / "bench_report"

    def bump_state(self, repo: str) -> Path:
        """How far the last move of a repo's pin is."""
        return self.root / "bump" / f"{repo}.json"

    def drafts(self, repo: str) -> Path:
        """Branches and drafts of a repo's patches, for upstream."""
        return self.root / "upstream" / repo

    @property
    def stress(self) -> Path:
        """The records of stress runs."""
        return self.root / "stress"

    def smoke_view(self, variant: str, model: str) -> Path:
        """The current smoke record of a variant and model."""
        return self.views / "smoke" / variant / f"{model}.json"

    @property
    def reports(self) -> Path:
        """Reports for people."""
        return self.views / "reports"

    def spec(self, kind: str, name: str, key: str) -> Path:
        """A spec: everything that goes into a keyed artifact."""
        return self.root / "specs" / kind / name / f"{key}.json"

    def stamp(self, kind: str, name: str, key: str) -> Path:
        """A keyed artifact's stamp: what Snakemake sees of it, a copy of its record."""
        return self.root / "stamps" / kind / name / f"{key}.json"

    def view(self, name: str, key: str) -> Path:
        """What Snakemake sees of a view: the name of what is shown, and the key of that."""
        return self.views / "stamps" / "view" / name / f"{key}.json"
