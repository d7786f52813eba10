"""The code blocks of README.md and docs/, run as a reader runs them."""

import os
import re
import subprocess
import textwrap
from pathlib import Path

_READER = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Ada Reader"), ("EMAIL", "reader@example.org"))
}


def blocks(page: Path, title: str) -> list[str]:
    """The sh blocks of a page's chapter, without those of the chapters in it."""
    text = page.read_text(encoding="utf-8")
    chapter = re.search(rf"^#+ {title}\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert chapter is not None, title
    found = re.finditer(r"^( *)```sh\n(.*?)^\1```", chapter[1], re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block[2]) for block in found]


def run(folder: Path, tools: Path, script: str) -> str:
    """What commands print, run in bash up to the first that fails; ``tools`` leads the path."""
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, **_READER, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
