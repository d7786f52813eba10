"""vLLM as upstream has it, built here for an ordinary Python: what ours is measured beside."""

import re
import sys
from functools import cache, cached_property
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from snakedev.base.errors import UserError
from snakedev.plan.buildable import Buildable
from snakedev.plan.sources import Sources
from snakedev.plan.wheels import Wheels
from snakedev.sources.patch_file import BUILD_ONLY
from snakedev.store.source_specs import SourceSpec
from snakedev.store.spec import Spec
from snakedev.store.specs import EnvironmentSpec, WheelInput, WheelSpec

REPO = "vllm"
_MARKED = re.compile(rf"^{BUILD_ONLY}: *\S".encode(), re.MULTILINE)


def is_marked(patch: Path) -> bool:
    """Whether a patch's message says that it is needed to build, and changes nothing else."""
    message, *_ = patch.read_bytes().partition(b"\ndiff --git ")
    return _MARKED.search(message) is not None


class Stock:
    """The wheel, with the layers of a plan that it has of its own."""

    def __init__(self, sources: Sources, usual: Buildable):
        self.sources = _Sources(sources)
        self.wheels = _Wheels(Buildable(self.sources, usual.machine))

    @property
    def wheel(self) -> WheelSpec:
        """vLLM's wheel for the cpu variant, for which a package index may have none."""
        return self.wheels.wheel(REPO, "cpu")

    def measured(self, variant: str) -> WheelSpec:
        """What a variant is measured beside; raises UserError where that is not built here."""
        config, key = self.sources.config, "config.yaml: bench_report.stock: built"
        if variant != "cpu":
            raise UserError(
                f"{key} is for the cpu variant, and bench_report.variants has {variant}, whose "
                f"stock wheel the package index has: set it to true for that"
            )
        if config.borrower(variant):
            raise UserError(
                f"{key}: variants.cpu.kernels: upstream takes them from the stock wheel, which the "
                f"package index has then: set it to true"
            )
        return self.wheel

    def measured_input(self, variant: str) -> WheelInput:
        """It, as the spec of a run names it; raises as `measured`."""
        wheel = self.measured(variant)
        return WheelInput(repo=wheel.repo, variant=wheel.variant, key=wheel.key)

    def specs(self) -> list[Spec]:
        """All that is of it alone."""
        if "cpu" not in self.sources.config.configured_variants():
            return []
        environment = self.wheels.build_environment(self.wheel.environment_name)
        return [self.sources.source(REPO), environment, self.wheel]

    def has(self, key: str) -> bool:
        """Whether a key is of the wheel, or of what it is made from and in."""
        return key in self._keys

    @cached_property
    def _keys(self) -> frozenset[str]:
        return frozenset(spec.key for spec in self.specs())


class _Sources(Sources):
    """A run's sources, vLLM's with the marked patches alone; for an ordinary Python."""

    def __init__(self, usual: Sources):
        config = usual.config.model_copy(update={"work": ()})
        super().__init__(config, usual.artifacts, usual.project)
        self.python, self._version = _ordinary(self.config.bench_report.python)

    @property
    def interpreter(self) -> dict[str, str]:
        return {"version": self._version, "abiflags": ""}

    @cache
    def pinned_source(self, repo: str) -> SourceSpec:
        spec = super().pinned_source(repo)
        if repo != REPO:
            return spec
        kept = [is_marked(path) for path in spec.patches]
        return spec.model_copy(
            update={
                field: tuple(one for one, there in zip(values, kept, strict=True) if there)
                for field, values in (
                    ("patches", spec.patches),
                    ("patch_bodies", spec.patch_bodies),
                )
            }
        )


class _Wheels(Wheels):
    """The wheel is built in an environment of that Python."""

    def _environment(self, name: str, wheels: tuple[WheelInput, ...]) -> EnvironmentSpec:
        assert isinstance(self.sources, _Sources)
        spec = super()._environment(name, wheels)
        return spec.model_copy(update={"python": self.sources.python})

    def _excluded(self, repo: str, variant: str) -> dict[str, str | None]:
        """What no package index has; all else that upstream asks for it has."""
        asked = map(Requirement, self.sources.facts(repo).requirements.get(variant, ()))
        return {canonicalize_name(one.name): None for one in asked if one.url}


def _ordinary(asked: str | None) -> tuple[str, str]:
    """An ordinary Python, as uv takes it, and its version, as `3.12`.

    Raises UserError for a path that does not say its version: a plan starts no program.
    """
    if asked is None:
        return sys.executable, "{}.{}".format(*sys.version_info)
    path = Path(asked)
    name = path.resolve().name if "/" in asked else asked
    if version := re.match(r"(?:python)?(3\.\d+)(\.\d+)?$", name):
        return asked, version[1]
    raise UserError(
        f"config.yaml: bench_report.python: {asked} does not say which version it is, which "
        f"stock: built has to know: give a version, as 3.12, or the path of a program of that "
        f"name, as /usr/bin/python3.12"
    )
