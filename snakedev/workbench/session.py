"""Git's session in a work folder for a patch that conflicts, and what a person is told of it.

The session is that of `git am`, with the other patches queued, so that it goes on by itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

from snakedev.base.errors import UserError
from snakedev.base.process import CommandError
from snakedev.sources.patch_file import commits, contents
from snakedev.sources.source import apply_patches
from snakedev.workbench.folder import WorkFolder

_QUEUE = Path(".git/rebase-apply")
_NAMES = _QUEUE / "snakedev"
"""The file of a queued patch, by git's number of it; it goes with the session."""
_NUMBERED = re.compile(r"(\d{1,4})-")


class Waiting(UserError):
    """A patch conflicts, and git waits in the work folder; the text says what to do."""


def start_session(work: WorkFolder, waiting: Sequence[Path]) -> None:
    """Let git take patches in the folder, and raise Waiting where it stops at a conflict."""
    try:
        apply_patches(work.path, waiting, three_way=True)
    except CommandError:
        _name_queue(work.path, waiting)
        refuse_waiting(work)


def _name_queue(folder: Path, waiting: Sequence[Path]) -> None:
    """Write down which file each of git's numbers stands for; give them the files' own, if any."""
    names = [path.name for path in waiting for _ in commits(path, contents(path))]
    mails = sorted((folder / _QUEUE).glob("[0-9]" * 4))
    if len(names) != len(mails):
        return  # what git made of it is another number of mails: it has its own
    known = [int(match[1]) for name in names if (match := _NUMBERED.match(name))]
    numbers = [*range(1, len(mails) + 1)]
    if len(known) == len(mails) and known == sorted(set(known)) and known[0] > 0:
        # git passes over numbers for which there is no file
        numbers = known
        for mail, number in zip(reversed(mails), reversed(numbers), strict=True):
            mail.rename(mail.with_name(f"{number:04}"))
        at = int((folder / _QUEUE / "next").read_text())
        (folder / _QUEUE / "next").write_text(f"{numbers[at - 1]}\n")
        (folder / _QUEUE / "last").write_text(f"{numbers[-1]}\n")
    lines = [f"{number} {name}\n" for number, name in zip(numbers, names, strict=True)]
    (folder / _NAMES).write_text("".join(lines), encoding="utf-8")


def waits(folder: Path) -> bool:
    """Whether git waits in a work folder for the end of a conflict of ours."""
    return (folder / _NAMES).is_file()


def queued(folder: Path) -> list[str]:
    """The patch files that wait in a work folder, the one that conflicts first; none without."""
    if not waits(folder):
        return []
    lines = [line.split(" ", 1) for line in (folder / _NAMES).read_text().splitlines()]
    number = int((folder / _QUEUE / "next").read_text())
    return [name for at, name in lines if int(at) >= number]


def refuse_waiting(work: WorkFolder) -> None:
    """Raise Waiting where git waits in the folder for the end of a conflict of ours."""
    left = queued(work.path)
    if not left:
        return
    at, stopped = f"git -C {work}", left[0]
    states = _unmerged(work)
    if states:
        what = f"conflicts with the pin in {', '.join(states)}"
    elif work.git("diff", "--cached", "--name-only"):
        what = "has no conflict left"
    else:
        what = (
            "does not fit the pin, and the files that it was made from are not here to merge with"
        )
    steps = [*_steps(states, at)]
    if not steps and not work.git("diff", "--cached", "--name-only"):
        steps = [
            f"`{at} apply --reject .git/rebase-apply/patch`, put in by hand what the .rej files "
            f"hold, remove them, and `{at} add` what changed"
        ]
    steps += [
        f"`{at} am --continue`, which goes on with the others (`{at} am --skip` drops this one, "
        f"`{at} am --abort` gives it up)",
        f"`snakemake edit_{work.repo}` says where it stops, or that all is done, `snakemake "
        f"export_{work.repo}` writes the series",
    ]
    count = len(work.patches)
    lines = [
        f"{work}: {stopped} {what}",
        f"{count} of the patches are on it, {len(left)} wait, this one first. What to do:",
        *(f"  {number}. {step}" for number, step in enumerate(steps, 1)),
    ]
    raise Waiting("\n".join(lines))


def _unmerged(work: WorkFolder) -> dict[str, set[str]]:
    """The files with conflicts: which of the three versions git has of each.

    1 is what the patch was made from, 2 the pin's, 3 the patch's.
    """
    found: dict[str, set[str]] = {}
    for row in filter(None, work.git("ls-files", "--unmerged", "-z").split("\0")):
        what, _, name = row.partition("\t")
        found.setdefault(name, set()).add(what.split()[2])
    return found


def _steps(states: Mapping[str, set[str]], at: str) -> Iterator[str]:
    """What to do with the files that conflict."""
    gone = [name for name, there in states.items() if "2" not in there]
    taken = [name for name, there in states.items() if there == {"1", "2"}]
    mend = [name for name in states if name not in (*gone, *taken)]
    if mend:
        which = "these files" if len(mend) == len(states) else " ".join(mend)
        yield f"mend {which}, and `{at} add` {'it' if len(mend) == 1 else 'them'}"
    if gone:
        they = "it is" if len(gone) == 1 else "they are"
        yield (
            f"`{at} rm {' '.join(map(quote, gone))}`: {they} not in the pin; make the patch's "
            f"change where that code went, and `{at} add` it (`{at} am --show-current-patch=diff` "
            "shows the patch)"
        )
    if taken:
        it = "it" if len(taken) == 1 else "them"
        yield (
            f"`{at} rm {' '.join(map(quote, taken))}`: the patch removes {it}, and the pin has "
            f"changed {it} (`{at} add` keeps {it})"
        )
