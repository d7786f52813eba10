"""Specs: everything that goes into a keyed artifact, written down before it is made.

A spec is to an artifact what a derivation is to a package in Nix: the workflow computes it from
config.yaml, patches/, envs/ and the machine's probe, names the artifact by the digest of its
identity, and hands it to the job as a file. Two specs side by side say why a key changed.
"""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from snakedev.base.records import Record
from snakedev.config.fields import Variant
from snakedev.config.reports import BenchReport, Prompt, Throughput
from snakedev.config.repos import DeclaredModule, HubModel, PackageModel
from snakedev.store.image_spec import ImageSpec
from snakedev.store.source_specs import CratesSpec, PinnedSpec, SourceSpec
from snakedev.store.spec import Spec, beside_key, digest, key_when_set
from snakedev.store.tests_spec import TestsSpec


class PatchTrialSpec(PinnedSpec):
    """A patch series tried on a pin, or on another ref of the pin's repository."""

    kind: ClassVar[str] = "patches"
    patch_files: tuple[tuple[str, str], ...]
    """Name and sha256 of each whole patch file, in order: the report shows who wrote it and why."""
    written_for_key: str | None = None
    """Key of the source that the patches are written for, where it is not this one."""
    recipe_number: int
    written_for: SourceSpec | None = beside_key(default=None)
    ref: str | None = beside_key(default=None)
    """The ref that is tried, as the configuration names it; None for the pin."""
    otherwise: "PatchTrialSpec | None" = beside_key(default=None)
    """The trial on the git repository, where a ref is no version of the release's package."""

    @property
    def moves(self) -> bool:
        """Whether the ref may stand for another commit tomorrow, as a full commit never does."""
        return self.ref is not None and not re.fullmatch(r"[0-9a-f]{40}", self.ref)

    def on_release(self, sha256: str) -> "PatchTrialSpec":
        """The trial on the release whose version the ref is."""
        given = {"version": self.version, "sha256": sha256, "commit": None}
        pin = self.pin.model_copy(update=given)
        identity = pin.model_dump(exclude={"suite"})
        return self.model_copy(update={"pin": pin, "pin_identity": identity, "otherwise": None})

    def at(self, commit: str) -> "PatchTrialSpec":
        """The trial on the commit that the ref stands for."""
        pin = self.pin.model_copy(update={"commit": commit})
        identity = pin.model_dump(exclude={"url"})
        return self.model_copy(update={"pin": pin, "pin_identity": identity})


class WheelInput(Record):
    """A wheel of ours that goes into an environment."""

    repo: str
    variant: str
    key: str


class EnvironmentSpec(Spec):
    """A virtual environment: a lock, and wheels of ours on top of it."""

    kind: ClassVar[str] = "environment"
    shelf: ClassVar[str] = "envs"
    record_name: ClassVar[str] = "env.json"
    # it names the interpreter of its results folder, and is hard links into this machine's cache
    shared: ClassVar[bool] = False
    name: str
    lock_digest: str
    """Digest of the lock's requirements, comments left out."""
    interpreter: dict[str, str]
    wheels: tuple[WheelInput, ...] = ()
    torch_index: str | None = None
    recipe_number: int
    lock: Path = beside_key()
    base_lock: Path | None = beside_key(default=None)
    """The lock that it adds packages to; the digest is of both then."""
    purpose: Literal["build", "run", "test"] = beside_key()
    """Whether wheels are built in it, vLLM runs in it, or upstream's tests do."""
    variant: Variant | None = beside_key()
    """The one that it is for; None for one that serves all."""
    python: str | None = beside_key(default=None)
    """An ordinary Python that it is of, as uv takes it; None for the free-threaded one."""

    @property
    def place(self) -> str:
        return self.name

    @classmethod
    def folder(cls, place: str, key: str) -> PurePosixPath:
        return PurePosixPath(cls.shelf, f"{place}-{key}")

    def _made_from(self) -> Iterable[str]:
        return (wheel.key for wheel in self.wheels)


class KernelsInput(Record):
    """The kernels that a build takes from a finished wheel."""

    sha256: str
    """The wheel's."""
    recipe_number: int


class WheelSpec(Spec):
    """One wheel."""

    kind: ClassVar[str] = "wheel"
    remote: ClassVar[bool] = True
    shelf: ClassVar[str] = "wheels"
    places: ClassVar[str] = "*/*"
    record_name: ClassVar[str] = "wheel.json"
    repo: str
    variant: str
    version: str
    recipe: str
    recipe_number: int
    source_key: str
    subdirectory: str
    interpreter: dict[str, str]
    environment_key: str
    compilers: dict[str, str]
    settings: dict[str, str]
    """Variables that the recipe sets."""
    passed: dict[str, str] = {}
    """Variables of the user's environment that are let through (CFLAGS and the like)."""
    needs: dict[str, str] = {}
    """Source keys of the repos that the build uses."""
    kernels: KernelsInput | None = key_when_set(default=None)
    """For a build that compiles no kernels: whose it takes."""
    excluded: dict[str, str | None] = key_when_set(default={})
    """What the source asks for and the locks leave out, by package or `package[extra]`: the extra
    that the wheel has it in, None for none."""
    declared: dict[str, DeclaredModule] = key_when_set(default={})
    """Of a finished wheel: the native modules that are declared to need no GIL, by path in it."""
    without: dict[str, str] = beside_key(default={})
    """The repos that its build could have used and does not, with the reason."""
    crates_key: str | None = beside_key(default=None)
    environment_name: str = beside_key()
    architectures: tuple[str, ...] = beside_key(default=())
    """What of a variant is compiled: for GPU architectures, or instruction sets of the cpu variant;
    the settings name them."""
    toolkit: Path | None = beside_key(default=None)
    """The toolkit of this machine to build with: a CUDA toolkit in place of the environment's, or
    ROCm, which the settings name."""

    @property
    def place(self) -> str:
        return f"{self.variant}/{self.repo}"

    def _made_from(self) -> Iterable[str]:
        return (self.source_key, *self.needs.values())

    @property
    def abi(self) -> str:
        """The interpreter's ABI, as wheels name it: `cp314t`."""
        return f"cp{self.interpreter['version'].replace('.', '')}{self.interpreter['abiflags']}"

    @property
    def sanitizer(self) -> str | None:
        """What the interpreter is built with, if anything."""
        return self.interpreter.get("sanitizer")

    @property
    def instruments(self) -> bool:
        """Whether the build compiles with the interpreter's sanitizer; that of Rust does not."""
        return self.sanitizer is not None and "rustc" not in self.compilers

    @property
    def tree_key(self) -> str:
        """What names the build tree that builds of these settings share, whatever the source."""
        return digest(
            {
                "recipe": [self.recipe, self.recipe_number],
                "settings": self.settings,
                "passed": self.passed,
                "environment": self.environment_key,
                "compilers": self.compilers,
            }
        )


class ModelSpec(Spec):
    """A model folder that vLLM loads."""

    kind: ClassVar[str] = "model"
    shelf: ClassVar[str] = "models"
    record_name: ClassVar[str] = "model.json"
    name: str = beside_key()
    model: PackageModel | HubModel
    recipe_number: int

    @property
    def place(self) -> str:
        return self.name


class SmokeSpec(Spec):
    """One inference run: an environment, a model and prompts."""

    kind: ClassVar[str] = "smoke"
    remote: ClassVar[bool] = True
    shelf: ClassVar[str] = "smoke"
    places: ClassVar[str] = "*/*"
    record_name: ClassVar[str] = "smoke.json"
    judged: ClassVar[bool] = True
    variant: str
    environment_key: str
    model_key: str
    max_tokens: int
    prompts: tuple[Prompt, ...]
    throughput: Throughput
    recipe_number: int
    model: str = beside_key()
    environment_name: str = beside_key()
    gil_forced: bool = key_when_set(default=False)
    """Whether PYTHON_GIL=0 keeps the GIL off, whatever a module asks for."""
    work: dict[str, str] = key_when_set(default={})
    """The repos that run from work folders, with the folders' tree ids."""

    @property
    def place(self) -> str:
        return f"{self.variant}/{self.model}"

    def _made_from(self) -> Iterable[str]:
        return (self.environment_key,)


class GilSpec(Spec):
    """A look at what turns the GIL on in a run environment."""

    kind: ClassVar[str] = "gil"
    shelf: ClassVar[str] = "gil"
    record_name: ClassVar[str] = "gil.json"
    variant: str
    environment_key: str
    recipe_number: int
    environment_name: str = beside_key()
    patches: dict[str, tuple[Path, ...]] = beside_key(default={})
    """The patch series of the repos that are built here."""
    work: dict[str, str] = key_when_set(default={})
    """The repos that run from work folders, with the folders' tree ids."""

    @property
    def place(self) -> str:
        return self.variant

    def _made_from(self) -> Iterable[str]:
        return (self.environment_key,)


class BenchPin(Record):
    """What a repo's wheel was built from, for a reader."""

    version: str
    source_key: str
    patches: int


class BenchSpec(Spec):
    """A benchmark run; it makes a record each time, and its key says what was measured."""

    kind: ClassVar[str] = "bench"
    variant: str
    environment_key: str
    model_key: str
    settings: BenchReport
    version: str
    """vLLM's, for the stock wheel."""
    pins: dict[str, BenchPin] = beside_key()
    model: str = beside_key()
    environment_name: str = beside_key()
    stock: WheelInput | None = key_when_set(default=None)
    """The stock wheel, where that is built here."""
    work: dict[str, str] = key_when_set(default={})
    """The repos that run from work folders, with the folders' tree ids."""

    @property
    def place(self) -> str:
        return self.variant

    def _made_from(self) -> Iterable[str]:
        return (self.environment_key,)


KEPT: tuple[type[Spec], ...] = (
    *(SourceSpec, CratesSpec, EnvironmentSpec, WheelSpec, ModelSpec),
    *(SmokeSpec, GilSpec, TestsSpec, ImageSpec),
)
"""The kinds of artifacts that keyed folders are kept of."""
