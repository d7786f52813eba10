"""What README.md, CONTRIBUTING.md and docs/ name is there: files, headings, targets."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tools.reference import PROJECT, make_targets, rules

_FENCE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# where a command begins: in a line, in $( ), after variables, after setarch
_COMMAND = re.compile(
    r"(?:^ *|[`(]|=\S+ |-R )(snakemake|make) ((?:'[^']*'|\"[^\"]*\"|[^\n`#|;&)'\"])+)", re.MULTILINE
)
# options of snakemake that are followed by a value
_VALUED = {"--workflow-profile", "--config", "--cores"}


def _pages() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(listed, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in names.splitlines() if (PROJECT / name).is_file())


@cache
def _headings(page: Path) -> set[str]:
    """The headings of a page as a forge names them in links."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@cache
def _all_rules() -> list[re.Pattern[str]]:
    """Every rule that can be named, `edit_REPO` as a pattern."""
    public = [name for targets in rules().values() for name, _ in targets]
    files = [PROJECT / "Snakefile", *PROJECT.glob("rules/*.smk")]
    named = [n for f in files for n in re.findall(r"^rule (\w+):", f.read_text("utf-8"), re.M)]
    return [re.compile(re.sub("REPO|VARIANT", "[A-Za-z-]+", name)) for name in public + named]


@pytest.mark.parametrize("page", _pages())
def test_every_link_leads_somewhere(page):
    file = PROJECT / page
    lost = []
    for link in _LINK.findall(_FENCE.sub("", file.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, heading = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (heading and heading not in _headings(target)):
            lost.append(link)
    assert lost == []


def _named(text: str, program: str) -> list[str]:
    """The targets that a text asks a program for, in code."""
    code = [
        *(match[0] for match in _FENCE.finditer(text)),
        *re.findall(r"`([^`]+)`", _FENCE.sub("", text)),
    ]
    targets = []
    for part in code:
        for found in _COMMAND.finditer(part):
            if found[1] != program:
                continue
            words = re.findall(r"(?:'[^']*'|\"[^\"]*\"|\S)+", found[2])
            follows = False
            for word in words:
                if not follows and not word.startswith("-") and "=" not in word:
                    targets.append(word)
                follows = word in _VALUED
    return targets


@pytest.mark.parametrize("page", _pages())
def test_every_target_exists(page):
    text = (PROJECT / page).read_text(encoding="utf-8")
    unknown = [
        word
        for word in _named(text, "snakemake")
        if word not in ("…", "TARGET") and not any(rule.fullmatch(word) for rule in _all_rules())
    ]
    assert unknown == []
    assert set(_named(text, "make")) <= make_targets().keys()


def test_a_target_that_is_not_there_is_noticed():
    text = "`snakemake --config origin=git wheels_tpu`\n\n```sh\nmake tea E2E=smoke # later\n```\n"
    assert _named(text, "snakemake") == ["wheels_tpu"]
    assert _named(text, "make") == ["tea"]


def test_every_how_to_and_explanation_is_listed():
    listed = set(_LINK.findall((PROJECT / "docs/README.md").read_text(encoding="utf-8")))
    pages = {p.removeprefix("docs/") for p in _pages() if p.startswith("docs/")}
    in_findings = {page for page in pages if page.startswith("findings/")}
    assert pages - in_findings - {"README.md"} <= listed
