"""A container image by the real workflow, of a small engine on a small base."""

import shutil
import subprocess
from pathlib import Path

import pytest

from snakedev.config.source_facts import facts_file
from tests.container_image import read_image
from tests.debian_package import small_base
from tests.small_project import GREETER, Project
from tests.workflow import small_engine

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="reads Debian packages")
ENVIRONMENT = "opt/vllm/lib/python3.14t/site-packages"


def prepared(folder: Path, python: Path) -> Project:
    """A project whose run environment can be made into an image."""
    folder.mkdir()
    made = Project(folder / "project", python)
    made.add_repo("greeter", "setuptools", GREETER)
    made.add_repo("vllm", "vllm", small_engine.FILES, required=True)
    made.write_lock("build-any", ["setuptools"])
    made.write_lock("build-cpu", ["setuptools", "wheel"])
    made.write_lock("run-cpu", ["packaging"])
    made.config["variants"]["cpu"] = {"isa": ["avx2"], "onednn": False}
    made.config["image"] = {"packages": ["libc6", "dash"]}
    small_base(made.folder)
    return made


def test_an_image_is_the_same_wherever_it_is_made(python: Path, tmp_path: Path) -> None:
    project, other = (prepared(tmp_path / name, python) for name in ("one", "another"))
    # repositories are made on the spot, and their commits have times
    other.config["repos"] = project.config["repos"]
    facts, of_other = (facts_file(made.folder / "envs", "vllm") for made in (project, other))
    shutil.copy(facts, of_other)
    done = project.run("image_cpu")
    assert done.code == 0, done.text
    assert "podman load -i results/image/cpu.tar" in done.text
    archive = project.folder / "results/image/cpu.tar"
    assert other.run("image_cpu").code == 0
    assert archive.read_bytes() == (other.folder / "results/image/cpu.tar").read_bytes()

    image = read_image(archive)
    assert image.docker["RepoTags"] == ["localhost/snakedev-vllm:1.0-cpu"]
    run = image.config["config"]
    assert run["Entrypoint"] == ["vllm", "serve"] and run["User"] == "1000"
    assert {"PYTHON_GIL=0", "TORCH_COMPILE_DISABLE=1"} <= set(run["Env"])
    assert run["Labels"]["org.opencontainers.image.version"] == "1.0"
    names = [step["created_by"] for step in image.config["history"]]
    assert names == ["base", "interpreter", "packages", "wheels"]
    assert image.read("usr/bin/sh") == b"a shell" and image.members(0)["bin"].linkname == "usr/bin"
    assert image.members(3)["opt/vllm/bin/python"].linkname == "/opt/python/bin/python3.14t"
    assert b"home = /opt/python/bin\n" in image.read("opt/vllm/pyvenv.cfg")

    # nothing of the build, nor of this machine
    assert not [path for path in image.paths if "setuptools" in path or path.endswith(".h")]
    folders = [str(tmp_path), str(python.resolve().parents[1])]
    for layer in image.layers:
        assert not [folder for folder in folders if folder.encode() in layer]
    # bytecode that holds whatever the file's time, and tells of the file's place in the image
    (bytecode,) = (path for path in image.paths if "greeter/__pycache__/__init__" in path)
    data = image.read(bytecode)
    assert data[4:8] == b"\1\0\0\0" and b"/opt/vllm/lib" in data
    subprocess.run([python, "-c", f"import marshal; marshal.loads({data[16:]!r})"], check=True)

    again = project.run("image_cpu")
    assert again.jobs == ["image_cpu"]  # which shows what is there


def test_another_patch_makes_one_layer_anew(python: Path, tmp_path: Path) -> None:
    project = prepared(tmp_path / "one", python)
    assert project.run("image_cpu").code == 0
    before = read_image(project.folder / "results/image/cpu.tar")
    project.add_patch("greeter", "0001-shout", "greeter/_greet.c", '"hello"', '"HELLO"')
    done = project.run("image_cpu")
    assert "image" in done.jobs, done.text
    after = read_image(project.folder / "results/image/cpu.tar")
    assert after.layer_digests[:-1] == before.layer_digests[:-1]
    assert after.layer_digests[-1] != before.layer_digests[-1]
    assert len(list(project.folder.glob("results/images/cpu/*/image.json"))) == 2
    # an image that is not asked for any longer goes with what it was made of
    assert project.run("prune_now").code == 0
    assert len(list(project.folder.glob("results/images/cpu/*/image.json"))) == 1


def test_what_no_image_can_be_made_of_is_told_before_anything_runs(
    python: Path, tmp_path: Path
) -> None:
    project = prepared(tmp_path / "one", python)
    for change, line in (
        ({"image": {"packages": ["libc6"]}}, "does not fit image.packages: run"),
        ({"image": {"suite": "forky", "packages": ["libc6", "dash"]}}, "does not fit image.suite"),
    ):
        kept = dict(project.config)
        project.config.update(change)
        done = project.run("image_cpu")
        assert done.code == 1 and line in done.text and "Finished" not in done.text, done.text
        project.config = kept
    small_base(project.folder, libc="2.1-1")
    done = project.run("image_cpu")
    assert "image.suite: trixie has glibc 2.1, and wheels that are built here" in done.text
    (project.folder / "envs/image.lock.json").unlink()
    done = project.run("image_cpu")
    assert "envs/image.lock.json is missing: run `snakemake image_lock`" in done.text
    # which concerns nothing else
    assert project.run("-n", "wheelhouse").code == 0
    project.config["repos"]["vllm"]["enabled"] = False
    assert "set repos.vllm.enabled: true" in project.run("image_cpu").text
