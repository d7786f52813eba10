"""What a build of a wheel sees: its folders, and its environment variables.

The flags of compilers come together here: the user's, those of every build, and those of the
recipe. build.py adds the job server's variable.
"""

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.text import shouted
from snakedev.environments.environment import EnvironmentRecord
from snakedev.machine import buildlock, sanitizer
from snakedev.machine.probe import Machine, rustup_home
from snakedev.machine.sandbox import Sandbox
from snakedev.recipes.recipe import lacking_toolkit, source_variable
from snakedev.sources.crates import cargo_configuration
from snakedev.store.layout import Layout
from snakedev.store.specs import WheelSpec

# 2020-01-01: any fixed date after 1980 serves, since zip archives know no earlier one.
SOURCE_DATE_EPOCH = "1577836800"
PASSED = ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_ARGS")
"""Variables of the user's environment that builds see; they are part of the key."""


@dataclass(frozen=True)
class Places:
    """A build's sandbox, and the paths of its folders as the build sees them."""

    sandbox: Sandbox
    real_folder: Path
    """The build folder as everybody else sees it."""
    folder: Path
    environment: Path
    crates: Path | None
    sources: dict[str, Path]
    """The trees of the repos that the build needs."""
    kernels: Path | None
    """The kernels of a finished wheel."""

    @property
    def tree(self) -> Path:
        """The source that is built."""
        return self.folder / "tree"


def place(
    spec: WheelSpec, layout: Layout, folder: Path, environment: Path, sandbox: Sandbox
) -> Places:
    """Put everything that a build in ``folder`` needs into its sandbox."""
    places = Places(
        sandbox=sandbox,
        real_folder=folder,
        folder=sandbox.place("build", folder),
        environment=sandbox.place("environment", environment),
        crates=sandbox.place("crates", layout.crates(spec.repo, spec.crates_key))
        if spec.crates_key is not None
        else None,
        sources={
            need: sandbox.place(f"sources/{need}", layout.source(need, key) / "tree")
            for need, key in spec.needs.items()
        },
        kernels=sandbox.place("kernels", folder / "kernels") if spec.kernels else None,
    )
    if sandbox.fixed_paths:
        _place_interpreter(folder, environment, sandbox)
    else:
        sandbox.place("interpreter", (environment / "bin" / "python").resolve().parent.parent)
    return places


def _place_interpreter(folder: Path, environment: Path, sandbox: Sandbox) -> None:
    """Let the environment lead to its interpreter where the sandbox shows it.

    A virtual environment names the interpreter in pyvenv.cfg and in the link bin/python; compilers
    would see its headers there.
    """
    python = (environment / "bin" / "python").resolve()
    seen = sandbox.place("interpreter", python.parent.parent) / "bin"
    text = (environment / "pyvenv.cfg").read_text(encoding="utf-8")
    configuration, programs = folder / "pyvenv.cfg", folder / "environment-bin"
    configuration.write_text(
        re.sub("^home = .*$", f"home = {seen}", text, count=1, flags=re.MULTILINE), encoding="utf-8"
    )
    shutil.rmtree(programs, ignore_errors=True)
    shutil.copytree(environment / "bin", programs, symlinks=True)
    (programs / "python").unlink()
    (programs / "python").symlink_to(seen / python.name)
    sandbox.place("environment/pyvenv.cfg", configuration)
    sandbox.place("environment/bin", programs)


def make(
    spec: WheelSpec,
    layout: Layout,
    machine: Machine,
    places: Places,
    jobs: int,
    *,
    nvcc_threads: int,
    compiler_cache: bool,
    remote_cache: str | None = None,
) -> dict[str, str]:
    """The whole environment of a build: nothing of the user's but `PASSED`, which is in the key.

    ``remote_cache`` is ccache's remote storage, as the build sees it.

    Raises UserError without the compiler of a variant's toolkit.
    """
    tools, scratch = places.real_folder / "bin", places.real_folder / "tmp"
    for fresh in (tools, scratch):
        shutil.rmtree(fresh, ignore_errors=True)
    for made in (places.real_folder / "home", tools, scratch):
        made.mkdir(exist_ok=True)
    variables = {
        "PATH": _path(machine, places),
        "HOME": str(places.folder / "home"),
        # of its own: uv locks a source there by its path, which is the same for every build
        "TMPDIR": str(places.folder / "tmp"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": SOURCE_DATE_EPOCH,
        "PYTHONHASHSEED": "0",
        # a build that runs a script of a source that it needs must leave nothing there
        "PYTHONDONTWRITEBYTECODE": "1",
        buildlock.MARK: str(places.real_folder),
        "VIRTUAL_ENV": str(places.environment),
        "UV_CACHE_DIR": str(places.folder / "home" / "uv"),
        # for projects that would ask git for their version
        f"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_{shouted(spec.repo)}": spec.version,
        "MAX_JOBS": str(jobs),
        "NVCC_THREADS": str(nvcc_threads),
        **spec.passed,
        **_flags(spec, places),
        # after the flags: a recipe that set CFLAGS would drop the user's and those of every build
        **spec.settings,
    }
    if spec.sanitizer is not None:
        # the build's own Python is that interpreter
        variables |= sanitizer.QUIET
    for variable, name in (("CC", "cc"), ("CXX", "cxx")):
        if name in machine.tools:
            variables[variable] = shlex.join(machine.tools[name].command)
    variables |= _compiler_cache(layout, places, tools, remote_cache, used=compiler_cache)
    variables |= _toolkit(spec, layout, machine, places)
    if spec.crates_key is not None and places.crates is not None:
        crates = layout.crates(spec.repo, spec.crates_key)
        configuration = cargo_configuration(crates, places.crates)
        variables |= _cargo_variables(machine, configuration, places)
    for need, source in places.sources.items():
        variables[source_variable(need)] = str(source)
    if places.kernels is not None:
        variables["SNAKEDEV_KERNELS"] = str(places.kernels)
    # a recipe's setting may point into what is made here: ${environment}, ${SNAKEDEV_SOURCE_…};
    # what the user passes on, and paths, are no templates
    named = {**variables, "environment": str(places.environment), "tree": str(places.tree)}
    filled = {name: _filled(value, named) for name, value in spec.settings.items()}
    return variables | {n: v for n, v in filled.items() if variables[n] == spec.settings[n]}


def _path(machine: Machine, places: Places) -> str:
    """Where a build finds programs: those made here, the environment's, compilers, the system's."""
    path = [str(places.folder / "bin"), str(places.environment / "bin")]
    for name in ("cc", "cxx", "rustc", "cargo"):
        if name in machine.tools:
            path.append(str(machine.tools[name].path.parent))
    return ":".join(dict.fromkeys([*path, "/usr/local/bin", "/usr/bin", "/bin"]))


def _flags(spec: WheelSpec, places: Places) -> dict[str, str]:
    """Flags of the user's, and what hides real paths and brings in the interpreter's sanitizer."""
    mapped = places.sandbox.maps("-ffile-prefix-map")
    added = {"CFLAGS": mapped, "CXXFLAGS": mapped}
    if spec.instruments:
        added = dict.fromkeys(added, f"{sanitizer.FLAGS} {mapped}")
        added["LDFLAGS"] = sanitizer.LINK_FLAGS
    return {name: f"{spec.passed.get(name, '')} {flags}".strip() for name, flags in added.items()}


def _compiler_cache(
    layout: Layout, places: Places, tools: Path, remote: str | None, *, used: bool
) -> dict[str, str]:
    """What leads C and C++ compilations through ccache, where there is one."""
    ccache = shutil.which("ccache")
    if not ccache:
        return {}
    (tools / "ccache").symlink_to(ccache)
    variables = {
        "CCACHE_DIR": str((layout.cache / "ccache").resolve()),
        "CMAKE_C_COMPILER_LAUNCHER": "ccache",
        "CMAKE_CXX_COMPILER_LAUNCHER": "ccache",
    }
    if not places.sandbox.fixed_paths:
        variables |= {"CCACHE_BASEDIR": str(places.folder), "CCACHE_NOHASHDIR": "true"}
    if remote is not None:
        variables["CCACHE_REMOTE_STORAGE"] = remote
    if not used:
        # the launcher stays, since a tree that was configured with it goes on calling it
        variables["CCACHE_DISABLE"] = "1"
    return variables


def _toolkit(spec: WheelSpec, layout: Layout, machine: Machine, places: Places) -> dict[str, str]:
    """Where the compiler for GPUs is, and which other one it calls.

    Raises UserError where that of ROCm is not there.
    """
    if spec.variant == "rocm":
        if line := lacking_toolkit(spec.variant, spec.toolkit):
            raise UserError(line)
        return {}
    environment = layout.environment(spec.environment_name, spec.environment_key)
    toolkit = EnvironmentRecord.read(environment / "env.json").cuda_toolkit
    root = spec.toolkit or (places.environment / toolkit if toolkit else None)
    if root is None:
        return {}
    # CMake's old FindCUDA, which torch uses, reads CUDA_PATH
    nvcc = str(root / "bin" / "nvcc")
    variables = {"CUDA_HOME": str(root), "CUDA_PATH": str(root), "CUDACXX": nvcc}
    if host := machine.tools.get("cudahostcxx"):
        # read by CMake and by nvcc itself
        variables |= dict.fromkeys(("CUDAHOSTCXX", "NVCC_CCBIN"), str(host.path))
    return variables


def _filled(value: str, places: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda match: places[match[1]], value)


def _cargo_variables(machine: Machine, configuration: str, places: Places) -> dict[str, str]:
    """A private CARGO_HOME, whose configuration knows the vendored crates and nothing else."""
    home = places.real_folder / "cargo"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(configuration, encoding="utf-8")
    variables = {
        "CARGO_HOME": str(places.folder / "cargo"),
        "CARGO_NET_OFFLINE": "true",
        "CARGO_TARGET_DIR": str(places.folder / "target"),
        "CARGO_INCREMENTAL": "0",
        "MATURIN_PEP517_ARGS": "--locked --offline",
        "RUSTFLAGS": places.sandbox.maps("--remap-path-prefix"),
    }
    # the user's own CARGO_HOME holds rustup's shims: they must go on finding their toolchain
    if machine.rust_toolchain is not None:
        variables["RUSTUP_TOOLCHAIN"] = machine.rust_toolchain
        variables["RUSTUP_HOME"] = str(rustup_home())
    return variables
