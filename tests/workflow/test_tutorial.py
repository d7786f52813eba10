"""The tutorial's chapter "Change a patch", and how-to pages that go on from it: run as they stand.

In a fresh clone of the project, whose configuration builds one small package.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.pages import blocks, run
from tests.small_project import PROJECT, git

TOOLS = Path(sys.executable).parent


@pytest.fixture
def clone(project, tmp_path) -> Path:
    """A fresh clone of the project whose configuration builds one small package, `greeter`.

    It has the file and the line that the chapter edits in vLLM.
    """
    engine = 'TEXT = "the engine (v%s) with config"\n'
    project.add_repo(
        "greeter",
        "setuptools",
        {
            "setup.py": 'from setuptools import setup\nsetup(name="greeter", version="1.0",'
            ' packages=["greeter", "greeter.v1", "greeter.v1.engine"])\n',
            "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\n'
            'build-backend = "setuptools.build_meta"\n',
            "greeter/__init__.py": "",
            "greeter/v1/__init__.py": "",
            "greeter/v1/engine/__init__.py": "",
            "greeter/v1/engine/core.py": engine,
        },
    )
    project.add_patch("greeter", "0001-Begin", "greeter/__init__.py", "", "begun = True\n")
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(PROJECT), str(folder))
    # what vLLM's source asks for, the small project's locks do not answer
    (folder / "envs/vllm.source.json").unlink()
    for path in project.folder.glob("envs/*"):
        (folder / "envs" / path.name).write_bytes(path.read_bytes())
    (folder / "patches/greeter").mkdir()
    (patch,) = (project.folder / "patches/greeter").iterdir()
    (folder / "patches/greeter" / patch.name).write_bytes(patch.read_bytes())
    (folder / "config.yaml").write_text(yaml.safe_dump(project.config))
    return folder


def small(block: str) -> str:
    """A block for the small package: its name for vLLM's, its environment for a smoke run.

    There is no model to answer, so what the engine says is looked for by importing it.
    """
    code = "import greeter.v1.engine.core as core; print(core.TEXT)"
    look = f"results/work/envs/run-cpu/bin/python -c '{code}'"
    block = re.sub(r"^grep -h (\S+) .*smoke\.log$", rf"{look} | grep \1", block, flags=re.MULTILINE)
    return block.replace("vllm", "greeter").replace("smoke_report", "env_cpu")


def test_the_chapter_changes_a_patch_and_moves_a_pin(clone, project):
    changing = blocks(clone / "docs/tutorial.md", "Change a patch")
    moving = blocks(clone / "docs/how-to/move-a-pin.md", "By hand")
    assert (len(changing), len(moving)) == (3, 1)
    said = [run(clone, TOOLS, small(block)) for block in changing]
    assert "the engine (v%s, patched) with config" in said[1]
    assert "?? patches/greeter/" in said[2]
    added = clone / "patches/greeter/0002-Say-that-the-engine-is-patched.patch"
    assert b"\nFrom: Ada Reader <reader@example.org>\n" in added.read_bytes()
    python = clone / "results/envs/run-cpu/bin/python"
    ask = [python, "-c", "import greeter.v1.engine.core as c; print(c.TEXT)"]
    shown = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    assert shown == "the engine (v%s, patched) with config\n"

    # the reader's own part: another pin
    upstream = project.upstreams / "greeter"
    (upstream / "greeter/v1/__init__.py").write_text("moved = True\n")
    git(upstream, "commit", "--quiet", "--all", "-m", "Go on")
    project.config["repos"]["greeter"]["git"]["commit"] = git(upstream, "rev-parse", "HEAD")
    (clone / "config.yaml").write_text(yaml.safe_dump(project.config))
    (said,) = (run(clone, TOOLS, small(block)) for block in moving)
    assert "work/greeter: moved from git 1.0" in said
    assert (clone / "work/greeter/greeter/v1/__init__.py").read_text() == "moved = True\n"
    assert "patches/greeter holds what work/greeter does: 2 patches" in said

    # the other pages' commands on what is there now
    looking, *_ = blocks(clone / "docs/how-to/change-a-patch.md", "See whether patches apply")
    run(clone, TOOLS, looking)
    assert "Say that the engine is patched" in (clone / "results/reports/patches.html").read_text()
    showing, *_ = blocks(clone / "docs/how-to/use-what-was-built.md", "Elsewhere")
    run(clone, TOOLS, showing)
    assert [*(clone / "results/wheelhouse/cpu/simple/greeter").iterdir()]
