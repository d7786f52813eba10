"""The container images of a plan."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache

from packaging.version import Version

from snakedev.base.digests import file_sha256
from snakedev.base.errors import UserError
from snakedev.fetch import debian
from snakedev.images.base_lock import SERVING, WORKFLOW, Base, BaseLock, read_base
from snakedev.images.layer import COMPRESSION
from snakedev.images.project_files import project_digest, tools_lock
from snakedev.inference.engine import without_compilers
from snakedev.plan.wheels import Wheels
from snakedev.recipes.registry import RECIPE_NUMBERS
from snakedev.store.image_spec import WORKFLOW as PLACE
from snakedev.store.image_spec import ImageSpec, WorkflowImageSpec

# Variables by which NVIDIA's container toolkit gives a container the GPUs and the driver.
_NVIDIA = {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "compute,utility"}


class Images:
    """The image of each variant's run environment."""

    def __init__(self, wheels: Wheels):
        self.wheels, self.sources = wheels, wheels.sources
        self.config = wheels.config

    @cache
    def image(self, variant: str) -> ImageSpec:
        """A variant's image; raises UserError with a line for each thing that stands against it."""
        if problems := [*self._against()]:
            raise UserError("\n".join(problems))
        base = self.base(SERVING, self.config.image.packages)
        self._refuse_older(base)
        run, vllm = self.wheels.run_environment(variant), self.sources.source("vllm")
        version = self.config.repos["vllm"].version
        return ImageSpec(
            variant=variant,
            environment_name=run.name,
            environment_key=run.key,
            suite=base.suite,
            base=base.packages,
            name=f"localhost/snakedev-vllm:{version.replace('+', '-')}-{variant}",
            variables={
                # whatever a module that a server loads asks for
                "PYTHON_GIL": "0",
                "VLLM_NO_USAGE_STATS": "1",
                **without_compilers(variant),
                **(_NVIDIA if variant == "cuda" else {}),
            },
            labels={
                "org.opencontainers.image.title": f"vLLM {version} for {variant}",
                "org.opencontainers.image.version": version,
                # the key of vLLM's patched source
                "org.opencontainers.image.revision": vllm.key,
                "org.opencontainers.image.base.name": f"debian:{base.suite}",
            },
            compression=COMPRESSION,
            recipe_number=RECIPE_NUMBERS["image"],
        )

    @cache
    def workflow(self) -> WorkflowImageSpec:
        """The image that holds the workflow; raises UserError where its base is not pinned."""
        base = self.base(WORKFLOW, self.config.image.workflow_packages)
        project = self.sources.project
        files = project_digest(project)
        return WorkflowImageSpec(
            suite=base.suite,
            base=base.packages,
            name=f"localhost/snakedev-vllm-workflow:{files[:12]}",
            tools=file_sha256(tools_lock(project)),
            workflow=files,
            compression=COMPRESSION,
            recipe_number=RECIPE_NUMBERS["workflow_image"],
        )

    def base(self, base: Base, packages: Sequence[str]) -> BaseLock:
        """A base's lock; raises UserError where it does not fit the configuration."""
        return read_base(self.sources.project / "envs", base, self.config.image.suite, packages)

    def planned(self) -> Iterator[ImageSpec | WorkflowImageSpec]:
        """The images of all variants, as far as they can be made, and that of the workflow where
        one was made."""
        if self.sources.layout.image(PLACE, "").exists():
            with suppress(UserError):
                yield self.workflow()
        for variant in self.config.configured_variants():
            try:
                yield self.image(variant)
            except UserError:
                return

    def _against(self) -> Iterator[str]:
        if "vllm" not in self.wheels.buildable.wheel_repos():
            yield "an image serves with vLLM, which is not built: set repos.vllm.enabled: true"
        if self.config.work:
            yield (
                "an image is for others, and what is built from work folders is not pinned: "
                "commit, export, and run without `work`"
            )
        if self.config.interpreter.sanitizer:
            yield (
                "an image has no use for an interpreter with a sanitizer: set "
                "interpreter.sanitizer to null"
            )

    def _refuse_older(self, base: BaseLock) -> None:
        """Raise UserError for a base whose C library is older than the wheels built here need."""
        name, _, version = self.wheels.buildable.machine.libc.partition("-")
        if name == "glibc" and Version(version) > Version(base.libc):
            raise UserError(
                f"image.suite: {base.suite} has glibc {base.libc}, and wheels that are built here "
                f"need this machine's {version}: name a newer suite of Debian, then run "
                "`snakemake image_lock`"
            )


def lacking() -> str | None:
    """What this machine lacks to make images, in a line; None where it has all."""
    if missing := debian.lacking():
        return (
            f"an image's base is read from Debian packages, and this machine has no {missing}: "
            "install apt, dpkg and debian-archive-keyring, or make images on a Debian machine"
        )
    return None
