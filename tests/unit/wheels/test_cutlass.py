"""CUTLASS's files from a wheel, embedded with FetchContent as vLLM's CMakeLists.txt does it."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from snakedev.base.job import Job
from snakedev.sources.source import apply_series
from tests.project import PROJECT
from tests.unit.repositories import repository

PATCHES = PROJECT / "patches" / "cutlass" / "release"
EMBEDDING = """
cmake_minimum_required(VERSION 3.24)
project(embedding LANGUAGES NONE)
include(FetchContent)
FetchContent_Declare(cutlass SOURCE_DIR $ENV{VLLM_CUTLASS_SRC_DIR})
FetchContent_MakeAvailable(cutlass)
foreach(name CUTLASS_DIR CUTLASS_INCLUDE_DIR CUTLASS_TOOLS_UTIL_INCLUDE_DIR)
  message(STATUS "${name}=${${name}}")
endforeach()
"""


@pytest.fixture
def embedding(tmp_path: Path) -> Path:
    """A project that embeds CUTLASS."""
    folder = tmp_path / "embedding"
    folder.mkdir()
    (folder / "CMakeLists.txt").write_text(EMBEDDING)
    return folder


def cutlass(folder: Path, running: Job) -> Path:
    """A source as a wheel's files and the patch series make it."""
    repository(folder, {"include/cutlass/cutlass.h": "", "tools/util/include/x.h": ""})
    apply_series(folder, sorted(PATCHES.iterdir()), running)
    return folder


def seen(embedding: Path, source: Path) -> dict[str, str]:
    """The variables that the project sees after it has embedded a source."""
    printed = subprocess.run(
        ["cmake", "-S", embedding, "-B", embedding / "build"],
        env={**os.environ, "VLLM_CUTLASS_SRC_DIR": str(source)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return dict(re.findall(r"^-- (CUTLASS_\w+)=(.*)$", printed, re.MULTILINE))


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_an_embedding_project_finds_the_headers_also_after_they_moved(
    tmp_path: Path, embedding: Path, running: Job
) -> None:
    for name in ("one", "other"):
        source = cutlass(tmp_path / name, running)
        assert seen(embedding, source) == {
            "CUTLASS_DIR": str(source),
            "CUTLASS_INCLUDE_DIR": str(source / "include"),
            "CUTLASS_TOOLS_UTIL_INCLUDE_DIR": str(source / "tools/util/include"),
        }
