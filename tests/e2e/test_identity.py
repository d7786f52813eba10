"""What runs again after which change, on the real CPU stack: the starred rows of the table."""

import os
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.e2e.conftest import Clone
from tests.small_project import git

pytestmark = pytest.mark.e2e

TARGET = "smoke_report"
AFTER_WHEEL = {
    "requirements cpu",
    "environment run-cpu",
    "smoke smollm2-135m",
    "smoke_page",
    "verdict",
    TARGET,
}
# Another release of safetensors that builds as the pinned one does.
SAFETENSORS = {
    "version": "0.9.0rc1",
    "release": {
        "version": "0.9.0rc1",
        "sha256": "8a70d139a45d71557e116339f5115afe88af2d80b08701c31ce0478d5bfc8d93",
        "commit": None,
    },
}


@pytest.fixture
def settled(clone: Clone) -> Iterator[Clone]:
    """The clone with all that its configuration asks for; without a test's patch afterwards."""
    clone.snakemake(TARGET)
    yield clone
    for patch in clone.folder.glob("patches/vllm/9*.patch"):
        patch.unlink()


def test_nothing_a_touched_file_a_comment_and_a_patch_s_message(settled):
    folder = settled.folder
    assert settled.snakemake(TARGET).named_jobs == set()
    for pattern in ("scripts/*.py", "snakedev/**/*.py", "patches/**/*.patch"):
        for path in folder.glob(pattern):
            os.utime(path)
    script = folder / "snakedev/wheels/build.py"
    script.write_text(f"{script.read_text()}\n# says something else\n")
    patch = next(folder.glob("patches/vllm/0001-*.patch"))
    text = re.sub("^Subject: ", "Subject: Kindly ", patch.read_text(), flags=re.MULTILINE)
    patch.write_text(re.sub("^From: .*$", "From: Some One <one@example.org>", text, flags=re.M))
    assert settled.snakemake(TARGET).named_jobs == set()
    git(folder, "checkout", "--quiet", "--", "snakedev", str(patch.relative_to(folder)))


def test_a_patch_s_content_and_a_release_and_back(settled, tmp_path):
    folder = settled.folder
    # the source of the series as it stands, with a line more in one C++ file
    key = max(folder.glob("results/sources/vllm/*"), key=lambda path: path.stat().st_mtime)
    git(tmp_path, "clone", "--quiet", str(key / "tree"), "vllm")
    file = tmp_path / "vllm/csrc/cpu/pos_encoding.cpp"
    file.write_text(f"{file.read_text()}\nstatic_assert(sizeof(float) == 4);\n")
    git(tmp_path / "vllm", "commit", "--quiet", "--all", "-m", "Know the size of a float")
    target = str(folder / "patches/vllm")
    git(tmp_path / "vllm", "format-patch", "-1", "--start-number", "9001", "-o", target)
    other = folder / "release.yaml"
    other.write_text(yaml.safe_dump({"repos": {"safetensors": SAFETENSORS}}))

    patched = {"source vllm", "wheel vllm"}
    released = {f"{rule} safetensors" for rule in ("download", "source", "crates", "wheel")}
    planned = settled.snakemake("--dry-run", TARGET, "--configfile", "release.yaml")
    assert planned.named_jobs == patched | released | AFTER_WHEEL
    # the run of the model that follows is the tutorial's, on a patch of its own
    changed = settled.snakemake("wheels_cpu", "--configfile", "release.yaml")
    assert changed.named_jobs == patched | released | {"wheels_cpu"}
    # one file, and what links it
    compiled = max(map(int, re.findall(r"\[wheel vllm\] \d+ of (\d+) compilations", changed.text)))
    assert compiled < 10

    next(folder.glob("patches/vllm/9001-*.patch")).unlink()
    assert settled.snakemake(TARGET).named_jobs == set()
