"""What a draft says, and the commands that send it: in the form that upstream asks for."""

import re
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from snakedev.reports.upstream.record import Draft
from snakedev.upstream.project import Project

_TEMPLATES = (
    ".github/PULL_REQUEST_TEMPLATE.md",
    ".github/pull_request_template.md",
    "PULL_REQUEST_TEMPLATE.md",
    "docs/pull_request_template.md",
)
_PLAIN = "## Overview\n\n## Details\n\n## Validation\n"
# Which of our parts goes under a heading, by the words that it begins with.
_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "overview": ("overview", "summary", "purpose", "description", "what", "related"),
    "claims": ("claims",),
    "details": ("details", "motivation", "why", "context", "background"),
    "validation": ("validation", "test", "how has this been tested", "how tested"),
}
_NAMED = 8


def pull_request(draft: Draft, tree: Path) -> str:
    """The text of a pull request: upstream's own template, filled in as far as that is known.

    What only a person can say, such as the boxes of a checklist, stays as it is.
    """
    found = (tree / name for name in _TEMPLATES)
    template = next((file.read_text(encoding="utf-8") for file in found if file.is_file()), _PLAIN)
    parts = {
        "overview": _overview(draft),
        "claims": _claims(draft),
        "details": draft.note.message,
        "validation": _validation(draft),
    }
    pieces = re.split(r"^(#+ .*\n)", template, flags=re.MULTILINE)
    text, left = pieces[0], dict(parts)
    for heading, body in zip(pieces[1::2], pieces[2::2], strict=True):
        words = heading.strip("# \n").lower()
        name = next((n for n, begins in _HEADINGS.items() if words.startswith(begins)), None)
        filled = left.pop(name, None) if name else None
        if filled is None:
            text += heading + body
            continue
        # what is not a comment belongs to the end of the template
        rest = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL).strip()
        text += f"{heading}\n{filled}\n\n" + (f"{rest}\n\n" if rest else "")
    # a template that has no place for it gets it in front
    lost = [left[name] for name in ("overview", "details", "validation") if left.get(name)]
    return "\n\n".join([*lost, text.strip()]) + "\n"


def _overview(draft: Draft) -> str:
    today = draft.note.upstream and f"Today: {draft.note.upstream}"
    return "\n\n".join(filter(None, [f"{draft.patch.subject}.", today]))


def _claims(draft: Draft) -> str:
    lines = [f"- {draft.patch.subject}."]
    lines += [f"- `{test}` holds it." for test in draft.tests]
    return "\n".join(lines)


def _validation(draft: Draft) -> str:
    lines = []
    if draft.tests:
        lines.append(f"Tests in this change: `pytest {' '.join(draft.tests)}`")
    if draft.note.covered_by:
        named = " ".join(draft.note.covered_by)
        lines.append(f"Upstream's own tests hold what it leaves as it is: `pytest {named}`")
    if draft.covered_by:
        named = ", ".join(f"`{path}`" for path in draft.covered_by[:_NAMED])
        more = len(draft.covered_by) - _NAMED
        named += f" and {more} more" if more > 0 else ""
        lines.append(f"Tests that name what it changes: {named}")
    if draft.evidence:
        seen = "\n".join(f"- {one.what}" for one in draft.evidence)
        lines.append(f"In a stack that is built with it, on free-threaded Python:\n\n{seen}")
    return "\n\n".join(lines) or "Not tested beyond a build."


def commands(draft: Draft, project: Project, mail: Path, text: Path, title: str) -> tuple[str, ...]:
    """What a person types to send a draft, in a clone of upstream."""
    assert draft.branch is not None
    name = urlsplit(project.url).path.strip("/").removesuffix(".git")
    sign = " --signoff" if project.sign_off else ""
    sent = (
        f"git clone {project.url} {Path(name).name} && cd {Path(name).name}",
        f"git switch --create {draft.branch} origin/{project.branch or 'HEAD'}",
        f"git am --3way {quote(str(mail))}",
        # the author of the series is nobody
        f"git commit --amend --no-edit --reset-author{sign}",
        f"git push YOUR-FORK {draft.branch}",
    )
    if urlsplit(project.url).hostname != "github.com":
        return sent
    create = f"gh pr create --repo {name} --title {quote(title)} --body-file {quote(str(text))}"
    return (*sent, create)
