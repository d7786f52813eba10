"""What runs again after which change: exactly that, and nothing else.

The real Snakefile on small git repositories with compiled extensions, one test for each row of
the table of docs/explanation/identity.md. Most are real runs, there and back; where others have
shown that those very jobs do their work, or where the machine has no second one (an interpreter of
another version), `snakemake -n` is asked for them. The model comes from a hub on loopback and runs
on tests/workflow/small_engine.py.
"""

import copy
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from snakedev.recipes.code import Code
from tests.small_project import EXTENSION, PROJECT, PYPROJECT, Project, git
from tests.unit.package_index import publish, served
from tests.unit.small_hub import SmallHub
from tests.workflow import small_engine

TARGETS = ("smoke_report", "wheelhouse")
RUST = shutil.which("cargo") is not None

# greeter's extension includes base's header, which includes deep's: both are in its wheel's key
GREETER = {
    "setup.py": """
import os
from setuptools import Extension, setup
setup(name="greeter", version="1.0", packages=["greeter"],
      ext_modules=[Extension("greeter._greet", ["greeter/_greet.c"],
          include_dirs=[os.environ[f"SNAKEDEV_SOURCE_{name}"] for name in ("BASE", "DEEP")])])
""",
    "pyproject.toml": PYPROJECT,
    "greeter/__init__.py": "from greeter._greet import greet\n",
    "greeter/_greet.c": f'#include "base.h"\n{EXTENSION}'.replace('"hello"', "GREETING"),
}
# in C++, which has no designated members after others
HELPER = {
    "setup.py": """
from setuptools import Extension, setup
setup(name="helper", version="1.0", ext_modules=[Extension("_greet", ["_greet.cpp"])])
""",
    "pyproject.toml": PYPROJECT,
    "_greet.cpp": re.sub(
        r"\.m_name = .*(?=};)",
        '"_greet", NULL, 0, methods, slots, NULL, NULL, NULL',
        EXTENSION,
    ),
}
# Rust without a crate: a static library that the extension is linked with
RUSTY = {
    "setup.py": """
import os, subprocess
from setuptools import Extension, setup
subprocess.run(["cargo", "build", "--release", "--locked", "--offline"], check=True)
library = os.path.join(os.environ["CARGO_TARGET_DIR"], "release", "librusty.a")
setup(name="rusty", version="1.0", ext_modules=[
    Extension("_greet", ["_greet.c"], extra_objects=[library])])
""",
    "pyproject.toml": PYPROJECT,
    "Cargo.toml": '[package]\nname = "rusty"\nversion = "1.0.0"\nedition = "2021"\n'
    '[lib]\ncrate-type = ["staticlib"]\npath = "lib.rs"\n[profile.release]\npanic = "abort"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "rusty"\nversion = "1.0.0"\n',
    "lib.rs": '#[no_mangle]\npub extern "C" fn hello() -> *const u8 { b"hello\\0".as_ptr() }\n',
    "_greet.c": EXTENSION.replace(
        "static PyObject *greet", "const char *hello(void);\nstatic PyObject *greet", 1
    ).replace('"hello"', "hello()"),
}

# What follows a changed run, a changed environment, and a changed wheel, up to the targets.
AFTER_SMOKE = {"smoke_page", "verdict", "smoke_report"}
AFTER_ENVIRONMENT = {"smoke tiny"} | AFTER_SMOKE
AFTER_WHEEL = {"environment run-cpu", "wheelhouse_view cpu", "wheelhouse"} | AFTER_ENVIRONMENT
# What only shows what is there.
VIEWS = {"smoke_page", "smoke_report", "wheelhouse_view cpu", "wheelhouse"}
WHEELS_OF_ANY = {"wheel greeter", "wheel helper"} | ({"wheel rusty"} if RUST else set())


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallHub]:
    """A hub with two revisions of one model, which every run of this module asks."""
    small = SmallHub()
    weights = (b"abc de" * 9, b"no yes" * 9)
    for revision, data in zip(small_engine.REVISIONS, weights, strict=True):
        small.repos[small_engine.REPO, revision] = small_engine.model_files(data)
    with small.served(), pytest.MonkeyPatch.context() as variables:
        variables.setenv("HF_ENDPOINT", small.endpoint)
        variables.setenv("HF_TOKEN", "")
        variables.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        yield small


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, python: Path, hub: SmallHub) -> Project:
    """A project with everything built, run and reported once; each test leaves it like that."""
    made = Project(tmp_path_factory.mktemp("identity") / "project", python, copied=True)
    made.add_repo("deep", "source", {"deep.h": '#define GREETING "hello"\n'})
    made.add_repo("base", "source", {"base.h": '#include "deep.h"\n'}, build_needs=["deep"])
    made.add_repo("greeter", "setuptools", GREETER, build_needs=["base"])
    made.add_repo("helper", "setuptools", HELPER)
    made.add_repo("vllm", "vllm", small_engine.FILES, required=True)
    made.write_lock("build-any", ["setuptools"])
    made.write_lock("build-cpu", ["setuptools", "wheel"])
    made.write_lock("run-cpu", ["packaging"])
    if RUST:
        # required, so that no crate registry is asked whether it answers
        made.add_repo("rusty", "maturin", RUSTY, required=True)
    made.add_patch("greeter", "0001-say-more", "greeter/_greet.c", "GREETING", 'GREETING "!"')
    made.config["variants"]["cpu"] = {"isa": ["avx2"], "onednn": False}
    made.config["models"]["tiny"] = {
        "repo": small_engine.REPO,
        "revision": small_engine.REVISIONS[0],
    }
    made.config["smoke"] = {
        "variants": ["cpu"],
        "models": ["tiny"],
        "max_tokens": 4,
        "prompts": [{"text": "Hello"}],
        "throughput": {"prompts": 2, "tokens": 4},
    }
    first = made.run(*TARGETS)
    sources = {"deep", "base", "greeter", "helper", "vllm"} | ({"rusty"} if RUST else set())
    assert first.named_jobs == (
        AFTER_WHEEL
        | WHEELS_OF_ANY
        | {f"{rule} {repo}" for repo in sources for rule in ("mirror", "source")}
        | {"interpreter", "facts vllm", "wheel vllm", "requirements cpu", "model tiny"}
        | {"environment build-any", "environment build-cpu"}
        | ({"crates rusty"} if RUST else set())
    )
    return made


@pytest.fixture
def project(built: Project) -> Iterator[Project]:
    """The project; its files and its configuration are as before after the test."""
    kept = Kept(built)
    yield built
    kept.put_back()


class Kept:
    """A project's files and configuration as they were."""

    folders = ("patches", "scripts", "snakedev", "rules", "envs")
    views_dropped = False
    """Whether a plan of something else has dropped what the views show."""

    def __init__(self, project: Project):
        self.project, self.config = project, copy.deepcopy(project.config)
        self.place = project.folder.parent / "kept"
        for name in self.folders:
            shutil.copytree(project.folder / name, self.place / name, dirs_exist_ok=True)

    def put_back(self) -> None:
        """Have the project as it was."""
        for name in self.folders:
            shutil.rmtree(self.project.folder / name)
            shutil.copytree(self.place / name, self.project.folder / name)
        self.project.config = copy.deepcopy(self.config)


def show_all(project: Project) -> None:
    """Have the views show what the configuration asks for, after a plan of something else."""
    if Kept.views_dropped:
        assert project.run(*TARGETS).named_jobs <= VIEWS
        Kept.views_dropped = False


def runs(
    project: Project, change: Callable[[Project], object], expected: set[str], *arguments: str
) -> None:
    """Check that a change runs these jobs, and that the way back only shows what is there."""
    show_all(project)
    kept = Kept(project)
    changed = project.run(*TARGETS, *arguments, **(change(project) or {}))
    assert changed.named_jobs == expected
    kept.put_back()
    assert project.run(*TARGETS).named_jobs == expected & VIEWS


def plans(project: Project, change: Callable[[Project], object], expected: set[str]) -> None:
    """Check that `snakemake -n` plans these jobs after a change, whatever the views show now."""
    planned = project.run("-n", *TARGETS, **(change(project) or {})).named_jobs
    Kept.views_dropped = True
    assert planned | VIEWS == expected | VIEWS


# --- nothing -------------------------------------------------------------------------------------


def nothing(project: Project) -> None:
    pass


def touch_every_file(project: Project) -> None:
    for folder, folders, names in os.walk(project.folder):
        if Path(folder).name == ".snakemake":
            folders.clear()
        for name in names:
            os.utime(Path(folder) / name, follow_symlinks=False)


def edit_comments(project: Project) -> None:
    for pattern in (
        "scripts/**/*.py",
        "snakedev/**/*.py",
        "rules/*.smk",
        "envs/*.in",
        "envs/*.lock",
    ):
        for file in project.folder.glob(pattern):
            file.write_text(f"{file.read_text()}\n# says something else\n")


def edit_who_when_and_why_of_a_patch(project: Project) -> None:
    patch = project.folder / "patches/greeter/0001-say-more.patch"
    text = patch.read_text().replace("A. Tester", "Somebody").replace("Say more", "Be polite")
    patch.write_text(re.sub("^Date: .*$", "Date: Mon, 1 Jan 2024 00:00:00 +0000", text, flags=re.M))


def rename_a_patch(project: Project) -> None:
    patch = project.folder / "patches/greeter/0001-say-more.patch"
    patch.rename(patch.with_name("0007-be-polite.patch"))


def change_how_many_jobs_and_what_is_kept_of_them(project: Project) -> None:
    build = {"memory_per_job_gb": 1.0, "compiler_cache": False, "network": "open"}
    project.config["build"] = build


NOTHING = (
    nothing,
    touch_every_file,
    edit_comments,
    edit_who_when_and_why_of_a_patch,
    rename_a_patch,
    change_how_many_jobs_and_what_is_kept_of_them,
)


@pytest.mark.parametrize("change", NOTHING, ids=lambda change: change.__name__)
def test_nothing_is_planned(project: Project, change: Callable[[Project], None]) -> None:
    show_all(project)
    change(project)
    assert project.run("-n", *TARGETS).named_jobs == set()


def test_nothing_runs_after_all_of_them_with_other_cores_and_logs(project: Project) -> None:
    def change(project: Project) -> None:
        for one in NOTHING:
            one(project)

    runs(project, change, set(), "--cores", "1", "--printshellcmds", "--show-failed-logs")


# --- patches and pins ----------------------------------------------------------------------------

GREETER_AGAIN = {"source greeter", "wheel greeter"} | AFTER_WHEEL


def say_another_thing(project: Project) -> None:
    project.add_patch("greeter", "0001-say-more", "greeter/_greet.c", "GREETING", 'GREETING "?"')


def add_a_patch(project: Project) -> None:
    project.add_patch("greeter", "0002-note", "greeter/__init__.py", "from", "# a note\nfrom")


def remove_a_patch(project: Project) -> None:
    (project.folder / "patches/greeter/0001-say-more.patch").unlink()


def reorder_patches(project: Project) -> None:
    add_a_patch(project)
    assert project.run("sources").named_jobs == {"source greeter", "sources"}
    patch = project.folder / "patches/greeter/0002-note.patch"
    patch.rename(patch.with_name("0000-note.patch"))


def move_a_commit(project: Project) -> None:
    """The pin of deep, which greeter's build needs by way of base."""
    upstream = project.upstreams / "deep"
    (upstream / "deep.h").write_text('#define GREETING "good day"\n')
    git(upstream, "commit", "--quiet", "--all", "-m", "Be formal")
    project.config["repos"]["deep"]["git"]["commit"] = git(upstream, "rev-parse", "HEAD")


def test_a_patch_s_content(project: Project) -> None:
    runs(project, say_another_thing, GREETER_AGAIN)


@pytest.mark.parametrize("change", [add_a_patch, remove_a_patch, reorder_patches])
def test_a_patch_more_or_less_or_elsewhere(project: Project, change) -> None:
    plans(project, change, GREETER_AGAIN)


def test_a_commit_of_what_a_build_needs_by_way_of_another(project: Project) -> None:
    runs(project, move_a_commit, {"mirror deep", "source deep", "wheel greeter"} | AFTER_WHEEL)


def test_a_release_of_what_others_need_to_run(project: Project, tmp_path: Path) -> None:
    archive = tmp_path / "helper-1.1.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name, text in HELPER.items():
            member = tarfile.TarInfo(f"helper-1.1/{name}")
            data = text.replace('version="1.0"', 'version="1.1"').encode()
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    publish(tmp_path / "index", archive)

    def change(project: Project) -> None:
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        pin = {"name": "helper", "version": "1.1", "sha256": sha256}
        project.config["repos"]["helper"] |= {"origin": "release", "version": "1.1", "release": pin}
        # by itself, since this index has nothing of the locks
        with served(tmp_path / "index") as address:
            fetched = project.run("sources", UV_DEFAULT_INDEX=address)
        assert fetched.named_jobs == {"download helper", "source helper", "sources"}

    # a version is among what vLLM's requirements are checked against
    runs(project, change, {"wheel helper", "requirements cpu"} | AFTER_WHEEL)


# --- settings, locks, compilers ------------------------------------------------------------------


def choose_another_instruction_set(project: Project) -> None:
    project.config["variants"]["cpu"]["isa"] = ["avx2", "avx512"]  # runs on either


def test_an_instruction_set_of_the_variant(project: Project) -> None:
    """Only the repo with code for a device is built again, and nothing of `any`.

    The row of the table that names CUDA's architectures comes with the cuda variant; what it
    rests on is this: a setting of a variant enters the keys of the recipes that see it.
    """
    runs(project, choose_another_instruction_set, {"wheel vllm"} | AFTER_WHEEL)


def test_a_build_lock(project: Project) -> None:
    def change(project: Project) -> None:
        project.write_lock("build-any", ["setuptools", "pathspec"])

    plans(project, change, {"environment build-any"} | WHEELS_OF_ANY | AFTER_WHEEL)


def test_a_variant_s_build_lock(project: Project) -> None:
    def change(project: Project) -> None:
        project.write_lock("build-cpu", ["setuptools"])

    again = {"environment build-cpu", "wheel vllm", "requirements cpu"}
    plans(project, change, again | AFTER_WHEEL)


def test_a_run_time_lock(project: Project) -> None:
    def change(project: Project) -> None:
        project.write_lock("run-cpu", ["packaging", "pathspec"])

    again = {"requirements cpu", "environment run-cpu"}
    runs(project, change, again | AFTER_ENVIRONMENT)


def compiler(folder: Path, name: str, question: str, answer: str) -> Path:
    """A compiler of another version: it answers one question itself, and notes its other uses."""
    real = shutil.which(name)
    program = folder / name
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = {question} ]; then echo "{answer}"; exit; fi\n'
        f'echo "$@" >>{folder}/used\nexec {real} "$@"\n'
    )
    program.chmod(0o755)
    return program


def test_the_version_of_a_compiler_that_every_recipe_uses(project: Project, tmp_path: Path) -> None:
    def change(_: Project) -> dict[str, str]:
        return {"CXX": str(compiler(tmp_path, "g++", "-dumpfullversion", "99.1.0"))}

    runs(project, change, {"wheel vllm"} | WHEELS_OF_ANY | AFTER_WHEEL)
    assert "_greet.cpp" in (tmp_path / "used").read_text()


@pytest.mark.skipif(not RUST, reason="needs cargo")
def test_the_version_of_a_compiler_that_one_recipe_uses(project: Project, tmp_path: Path) -> None:
    def change(_: Project) -> dict[str, str]:
        compiler(tmp_path, "rustc", "-vV", "rustc 99.1.0")
        return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}

    plans(project, change, {"wheel rusty"} | AFTER_WHEEL)


def test_the_version_of_the_interpreter(project: Project) -> None:
    def change(project: Project) -> None:
        project.config["interpreter"]["version"] = "3.15"

    environments = {f"environment build-{name}" for name in ("any", "cpu")}
    again = {"interpreter", "wheel vllm", "requirements cpu"} | environments | WHEELS_OF_ANY
    plans(project, change, again | AFTER_WHEEL)


# --- smoke, recipes ------------------------------------------------------------------------------


def test_a_prompt(project: Project) -> None:
    def change(project: Project) -> None:
        project.config["smoke"]["prompts"] = [{"text": "Good day"}]

    runs(project, change, AFTER_ENVIRONMENT)


def test_a_model(project: Project) -> None:
    def change(project: Project) -> None:
        project.config["models"]["tiny"]["revision"] = small_engine.REVISIONS[1]

    runs(project, change, {"model tiny"} | AFTER_ENVIRONMENT)


def raise_number(project: Project, of: str) -> None:
    """Raise a recipe's number, or another artifact's, in the project's own copy by one."""
    folder = project.folder / "snakedev/recipes"
    own = folder / f"{of}.py"
    file, before = (own, "number=") if own.is_file() else (folder / "registry.py", f'"{of}": ')
    pattern = rf"({before})(\d+)"
    text, count = re.subn(pattern, lambda m: m[1] + str(int(m[2]) + 1), file.read_text())
    assert count == 1
    file.write_text(text)


def test_the_digest_of_an_artifact_s_code_is_the_same_on_another_python(python: Path) -> None:
    scripts = sorted(path.stem for path in (PROJECT / "scripts").glob("*.py"))
    code = (
        "import json, sys; from pathlib import Path; from snakedev.recipes.code import Code\n"
        "code = Code(Path(sys.argv[1]))\n"
        "print(json.dumps([code.behind(name) for name in sys.argv[2:]]))"
    )
    done = subprocess.run(
        [python, "-c", code, PROJECT, *scripts],
        env={"PYTHONPATH": str(PROJECT), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    here = Code(PROJECT)
    assert json.loads(done.stdout) == [here.behind(name) for name in scripts]


@pytest.mark.parametrize(
    ("of", "again"),
    [
        ("setuptools", {"wheel greeter", "wheel helper"} | AFTER_WHEEL),
        ("vllm", {"wheel vllm"} | AFTER_WHEEL),
        (
            "environment",
            {f"environment build-{name}" for name in ("any", "cpu")}
            | {"wheel vllm"}
            | WHEELS_OF_ANY
            | AFTER_WHEEL,
        ),
        ("model", {"model tiny"} | AFTER_ENVIRONMENT),
        ("smoke", AFTER_ENVIRONMENT),
    ],
)
def test_a_recipe_s_number(project: Project, of: str, again: set[str]) -> None:
    plans(project, lambda project: raise_number(project, of), again)
