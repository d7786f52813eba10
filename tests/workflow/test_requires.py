"""A wheel asks for what the locks leave out in an extra, so that it installs beside them."""

import base64
import csv
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.metadata import Metadata

from tests.small_project import GREETER, SETUP, Project

ASKED = {
    "install_requires": [
        "grpcio>=1.60; python_version > '3.9'",
        "intel-openmp==2024.2.1; platform_machine == 'x86_64'",
        "setuptools>=77,<81",
        "setuptools==77.0.3",
        "tomli==2.0+cpu; python_version < '3.11'",
        "wheel",
    ],
    "extras_require": {"otel": ["packaging"], "nothing": []},
}
WHY = {"reason": "it has no wheel", "without": "tracing"}


@pytest.fixture
def project(tmp_path: Path, python: Path) -> Project:
    """A project whose repo asks for what its locks leave out."""
    made = Project(tmp_path / "project", python)
    setup = SETUP.replace('version="1.0"', f'version="1.0", **{ASKED}')
    made.add_repo("greeter", "setuptools", GREETER | {"setup.py": setup})
    made.write_lock("run-cpu", ["setuptools", "wheel", "packaging"])
    return made


def change(project: Project, **entries: dict[str, object]) -> None:
    """Change entries of exclusions.yaml that no lock of the project asks for."""
    path = project.folder / "envs/exclusions.yaml"
    said = yaml.safe_load(path.read_text())
    for name, entry in entries.items():
        said[name.replace("_", "-")] = WHY | said.get(name.replace("_", "-"), {}) | entry
    path.write_text(yaml.safe_dump(said))


def built(project: Project) -> Path:
    (wheel,) = (project.folder / "results/wheelhouse/cpu").glob("*.whl")
    return wheel


def metadata(wheel: Path) -> tuple[list[str], list[str]]:
    """What a wheel asks for, and its extras; every file of it is as its RECORD says."""
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(archive.read(record).decode().splitlines()))
        assert sorted(name for name, _, _ in rows) == sorted(archive.namelist())
        for name, digest, _ in rows:
            if name != record:
                found = hashlib.sha256(archive.read(name)).digest()
                assert digest == "sha256=" + base64.urlsafe_b64encode(found).decode().rstrip("=")
        text = archive.read(record.replace("RECORD", "METADATA"))
    parsed = Metadata.from_email(text)
    return list(map(str, parsed.requires_dist or ())), list(map(str, parsed.provides_extra or ()))


def test_a_wheel_installs_beside_the_locks(project):
    change(project, grpcio={"asked_by": ["greeter"], "extra": "otel"})
    change(project, intel_openmp={"asked_by": ["greeter"], "extra": False})
    result = project.run("wheelhouse", "env_cpu")
    assert result.code == 0, result.text
    asked, extras = metadata(built(project))
    assert sorted(asked) == [
        'grpcio>=1.60; python_version > "3.9" and extra == "otel"',
        'packaging; extra == "otel"',
        "setuptools<81,>=77",
        'tomli==2.0; python_version < "3.11"',
        "wheel",
    ]
    assert sorted(extras) == ["nothing", "otel"]
    (environment,) = (project.folder / "results/envs").glob("run-cpu-*/env.json")
    assert json.loads(environment.read_text())["conflicts"] == []
    assert project.ask("import greeter; print(greeter.greet())") == "hello"
    (record,) = (project.folder / "results/wheels/any/greeter").glob("*/wheel.json")
    assert json.loads(record.read_text())["requires"] == asked

    # only what changes its metadata builds it again
    change(project, grpcio={"reason": "it turns the GIL on"}, attrs={"extra": "more"})
    assert "Nothing to be done" in project.run("wheelhouse").text
    before = built(project).read_bytes()
    change(project, grpcio={"extra": "tracing"})
    assert "wheel" in project.run("wheelhouse").jobs
    assert sorted(metadata(built(project))[1]) == ["nothing", "otel", "tracing"]
    change(project, grpcio={"extra": "otel"})
    assert "wheel" not in project.run("wheelhouse").jobs
    assert built(project).read_bytes() == before


def test_who_asks_for_it_has_to_be_a_repo(project):
    change(project, grpcio={"asked_by": ["greetr"]})
    result = project.run("-n", "wheelhouse")
    assert result.code != 0
    assert "exclusions.yaml: grpcio: asked_by: 'greetr' is no repo of config.yaml" in result.text
