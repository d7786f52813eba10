"""Pins whose commit is compared with what the release says of itself."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.repos import ReleasePin
from snakedev.sources.source import make_base
from snakedev.store.layout import Layout
from snakedev.store.source_specs import PinnedSpec, SourceSpec
from tests.unit.release import archive_of

COMMIT = "f2654939e69b4069b13977e9aef3e31d4dcaf051"
OTHER = "6e448d0ea" + "0" * 31
SCM = """__all__ = [
    "__commit_id__",
    "commit_id",
]
commit_id: str | None
__commit_id__: str | None
__version__ = version = '1.0'
__commit_id__ = commit_id = 'g%s'
"""
TELLING = {
    "tiny/_version.py": SCM % COMMIT[:9],
    "src/tiny/_version.py": SCM % COMMIT[:9],
    "_version.py": f'{{"version": "1.0", "full-revisionid": "{COMMIT}"}}',
    ".git_archival.txt": f"node: {COMMIT}\nnode-date: 2026-01-01\n",
    ".cargo_vcs_info.json": f'{{"git": {{"sha1": "{COMMIT}"}}, "path_in_vcs": ""}}',
    "sub/project/.cargo_vcs_info.json": f'{{"git": {{"sha1": "{COMMIT}"}}}}',
}
SILENT = {
    "PKG-INFO": "Metadata-Version: 2.4\nVersion: 1.0\n",
    "tiny/_version.py": SCM.replace("'g%s'", "None"),
    ".git_archival.txt": "node: $Format:%H$\n",
    ".cargo_vcs_info.json": "{}",
    # of another project that it carries
    "third_party/other/_version.py": SCM % OTHER[:9],
    "third_party/other/.git_archival.txt": f"node: {OTHER}\n",
}


def spec(commit: str | None) -> PinnedSpec:
    pin = ReleasePin(
        name="tiny", version="1.0", sha256="0" * 64, commit=commit, subdirectory="sub/project"
    )
    return SourceSpec(
        repo="tiny", origin="release", pin=pin, pin_identity={"commit": commit}, version="1.0"
    )


def lay(tmp_path: Path, commit: str | None, files: dict[str, str]) -> None:
    archive = archive_of(tmp_path / "downloads", files)
    make_base(spec(commit), Layout(tmp_path / "results"), archive, tmp_path / "tree")


@pytest.mark.parametrize("file", TELLING)
def test_a_pin_of_another_commit_is_refused_in_one_line(tmp_path: Path, file: str) -> None:
    with pytest.raises(UserError) as caught:
        lay(tmp_path, OTHER, {file: TELLING[file]})
    said = str(caught.value)
    assert said.startswith(
        f"repos.tiny.release.commit is {OTHER}, and tiny 1.0 says in {file} that"
    )
    assert f"made from {COMMIT[:9]}" in said and "\n" not in said


@pytest.mark.parametrize("file", TELLING)
def test_a_pin_of_that_commit_is_taken(tmp_path: Path, file: str) -> None:
    lay(tmp_path, COMMIT, {file: TELLING[file]})


def test_a_release_that_says_nothing_and_a_pin_that_does_are_taken(tmp_path: Path) -> None:
    lay(tmp_path, OTHER, SILENT)
    lay(tmp_path / "without", None, TELLING)
