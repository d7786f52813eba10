"""The extension modules of an environment, and what their packages say of the GIL."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath

from snakedev.reports.gil.extension_file import FileEvidence, examine, module_name
from snakedev.sources import patch_file

# How an extension says that it works without the GIL: C, pybind11 and nanobind, Cython, PyO3.
_ABOUT_GIL = re.compile(
    rb"^[+].*(Py_mod_gil|Py_MOD_GIL_NOT_USED|PyUnstable_Module_SetGIL|mod_gil_not_used|FREE_THREADED"
    rb"|freethreading_compatible|gil_used)",
    re.MULTILINE,
)
_URL_LABELS = ("repository", "source", "sourcecode", "github", "code", "homepage")


@dataclass(frozen=True)
class ExtensionModule:
    """An extension module of an installed distribution."""

    module: str
    file: PurePosixPath
    """Below site-packages."""
    distribution: Distribution
    evidence: FileEvidence


def entry_points(variant: str) -> dict[str, str]:
    """What each process of vLLM imports as it starts, by a name for it."""
    command = "vllm.entrypoints.cli"
    worker = "cpu_worker" if variant == "cpu" else "gpu_worker"
    return {
        "from vllm import LLM": "from vllm import LLM",
        # the modules that its main function imports before it looks at its arguments
        "vllm serve": f"import {command}.main, {command}.benchmark.main, {command}.collect_env, "
        f"{command}.launch, {command}.openai, {command}.run_batch, {command}.serve",
        "engine core": "import vllm.v1.engine.core",
        "worker": f"import vllm.v1.worker.{worker}",
    }


def extension_modules(
    site_packages: Path, search_path: Sequence[Path] = ()
) -> Iterator[ExtensionModule]:
    """The extension modules among the files of all installed distributions.

    ``search_path`` is the interpreter's ``sys.path``: a module below a folder of it that lies in
    site-packages is imported by its name there. Of two files of one module, the one with the ABI in
    its name stands in front of the other.
    """
    roots = [
        folder.relative_to(site_packages)
        for folder in (site_packages, *search_path)
        if folder.is_relative_to(site_packages)
    ]
    for distribution in distributions(path=[str(site_packages)]):
        found: dict[str, ExtensionModule] = {}
        for listed in distribution.files or ():
            file = PurePosixPath(listed)
            root = max(filter(file.is_relative_to, roots), key=lambda root: len(root.parts))
            name = module_name(file.relative_to(root))
            if name and (evidence := examine(site_packages / file)):
                if name not in found or found[name].evidence.abi is None:
                    found[name] = ExtensionModule(name, file, distribution, evidence)
        yield from found.values()


def project_url(distribution: Distribution) -> str | None:
    """The address of a distribution's project: its sources where they are named, else its page."""
    labelled = {}
    for line in distribution.metadata.get_all("Project-URL") or ():
        label, _, url = line.partition(",")
        labelled[re.sub(r"[^a-z]", "", label.lower())] = url.strip()
    named = [labelled[label] for label in _URL_LABELS if label in labelled]
    return next(iter([*named, *labelled.values()]), None) or distribution.metadata["Home-page"]


def about_gil(series: Sequence[Path]) -> tuple[str, ...]:
    """The patches of a series that have a module say that it works without the GIL."""
    return tuple(p.name for p in series if _ABOUT_GIL.search(patch_file.body(p.read_bytes())))
