"""`python -m tools.chaos`: harm the small workflow in every way that there is a scenario for.

Run by `make chaos`. Exit status 1 says that something did not hold; its line has the command that
does the same once more.
"""

import argparse
import inspect
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count, zip_longest
from pathlib import Path
from random import Random

from snakedev.base.errors import UserError
from tests.project import PROJECT
from tools.chaos import hostile, kills, network, poison, space
from tools.chaos.real import kill_real
from tools.chaos.setting import Base, LeftOut, Setting
from tools.chaos.subject import Broken

Scenario = Callable[[Setting], str | None]
KINDS = {
    "kills": kills,
    "poison": poison,
    "space": space,
    "network": network,
    "hostile": hostile,
}


def scenarios(kind: str) -> dict[str, Scenario]:
    """The scenarios of a kind by name: its module's public functions that take a setting alone."""
    found = inspect.getmembers(KINDS[kind], inspect.isfunction)
    return {
        name: function
        for name, function in found
        if function.__module__ == KINDS[kind].__name__
        and not name.startswith("_")
        and list(inspect.signature(function).parameters) == ["setting"]
    }


def drawn(asked: str, seed: int) -> Iterator[tuple[str, str, int]]:
    """Kind, name and round of one scenario after another, without end.

    The other kinds take turns, each scenario of theirs once, in an order drawn from the seed, and
    one of every two is a kill. ``asked`` is a kind, KIND.SCENARIO, KIND.SCENARIO.ROUND or nothing.
    """
    kind, _, rest = asked.partition(".")
    name, _, number = rest.partition(".")
    if kind and (kind not in KINDS or (name and name not in scenarios(kind))):
        known = ", ".join(f"{k}.{n}" for k in KINDS for n in scenarios(k))
        raise UserError(f"CHAOS={asked}: no such scenario: there are {known}, and real")
    if number:
        yield kind, name, int(number)
        return
    random = Random(seed)
    kinds = [k for k in KINDS if k != "kills" and kind in ("", k)]
    named = [[(k, n) for n in scenarios(k) if name in ("", n)] for k in kinds]
    turns = zip_longest(*(random.sample(own, len(own)) for own in named))
    others = [one for turn in turns for one in turn if one is not None]
    killing = [n for n in scenarios("kills") if kind in ("", "kills") and name in ("", n)]
    for turn in count():
        if killing:
            yield "kills", killing[turn % len(killing)], turn // len(killing)
        if others:
            yield (*others.pop(0), 0)
        elif not killing:
            return


def attempt(base: Base, kind: str, name: str, number: int, seed: int) -> bool:
    """Run one scenario and print its line; whether all held."""
    setting = Setting(base, Random(f"{seed} {kind} {name} {number}"))
    began = time.monotonic()
    try:
        verdict, said = "ok", scenarios(kind)[name](setting) or ""
    except LeftOut as reason:
        verdict, said = "left out", str(reason)
    except (Broken, AssertionError, subprocess.SubprocessError, UserError) as error:
        verdict, said = "FAILED", f"{type(error).__name__}: {error}"
    seconds, full = time.monotonic() - began, f"{name}.{number}"
    print(f"{kind:8} {full:26} {seed:11} {seconds:6.1f} s  {verdict:8} {said}", flush=True)
    if verdict == "FAILED":
        print(f"  again: make chaos SEED={seed} CHAOS={kind}.{name}.{number}")
        print(f"  it lies in {', '.join(str(one.folder) for one in setting.used)}", flush=True)
        return False
    for one in setting.used:
        shutil.rmtree(one.folder.parent, ignore_errors=True)
    return True


def main() -> int:
    """Run what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.chaos", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--only", default="", metavar="KIND[.SCENARIO[.ROUND]]")
    parser.add_argument("--minutes", type=float, default=25, help="at most (default 25)")
    parser.add_argument("--seed", type=int, help="of all that is drawn; a new one by default")
    parser.add_argument("--kills", type=int, default=20, help="of --only real (default 20)")
    options = parser.parse_args()
    began = time.monotonic()
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    print(f"seed {seed}; at work in {folder}", flush=True)
    if options.only == "real":
        kill_real(folder, seed, options.kills)
        shutil.rmtree(folder)
        return 0
    base = Base(folder, PROJECT / "results/interpreter/bin/python3.14t")
    base.make()
    print(f"an undisturbed run takes {base.seconds:.1f} s", flush=True)
    held, longest, done = True, 0.0, []
    for kind, name, number in drawn(options.only, seed):
        before = time.monotonic()
        if before - began + longest > options.minutes * 60:
            break
        held &= attempt(base, kind, name, number, seed)
        longest = max(longest, time.monotonic() - before)
        done.append(kind)
    counts = ", ".join(f"{done.count(kind)} scenarios of {kind}" for kind in KINDS)
    print(
        f"{counts}; {base.kills} kills; {(time.monotonic() - began) / 60:.1f} minutes; seed {seed}"
    )
    if held:
        shutil.rmtree(folder)
    return int(not held)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (UserError, Broken) as error:
        sys.exit(str(error))
