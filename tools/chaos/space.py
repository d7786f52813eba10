"""Disks that are full or not to be written, clocks that jump, and several runs at once."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.chaos.setting import LeftOut, Setting
from tools.chaos.subject import TARGETS, Broken, Subject

# What says that a disk is full; a linker's own line is in the log.
_SAID = ("No space left", "are free, and", "collect2: error")


@contextmanager
def apart(subject: Subject) -> Iterator[list[str]]:
    """Have a project's runs in a mount namespace of their own; yields what runs a program there."""
    holder = subprocess.Popen(["unshare", "-Urm", "sleep", "infinity"], stderr=subprocess.PIPE)
    enter = ["nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials"]
    try:
        deadline = time.monotonic() + 5
        trial = subject.folder.parent / "mount"
        trial.mkdir(exist_ok=True)
        mount = [*enter, "mount", "-t", "tmpfs", "none", trial]
        while subprocess.run(mount, stderr=subprocess.DEVNULL).returncode:
            if holder.poll() is not None or time.monotonic() > deadline:
                raise LeftOut("the kernel permits no mount namespaces")
            time.sleep(0.1)
        # the working folder is that of the other namespace until it is entered by name
        moved = ("sh", "-c", 'cd "$0" && exec "$@"', str(subject.folder))
        subject.within, subject.seen_at = (*enter, *moved), Path(f"/proc/{holder.pid}/root")
        yield enter
    finally:
        subject.within, subject.seen_at = (), Path("/")
        holder.kill()
        holder.wait()


@contextmanager
def disk(subject: Subject, place: Path, size: int | None) -> Iterator[Callable[[int | None], None]]:
    """Have a project's runs see a disk of so many kB in a place, None for a large one.

    Yields what gives it another size; what is on it stays.
    """
    place.mkdir(parents=True, exist_ok=True)

    def option(size: int | None) -> str:
        return "size=8g" if size is None else f"size={size}k"

    with apart(subject) as enter:
        made = ["mount", "-t", "tmpfs", "-o", option(size), "none", place]
        subprocess.run([*enter, *made], check=True)

        def resize(size: int | None) -> None:
            # it holds more than that already, perhaps
            while subprocess.run(
                [*enter, "mount", "-o", f"remount,{option(size)}", place],
                stderr=subprocess.DEVNULL,
            ).returncode:
                size = 2 * (size or 1)

        yield resize


def full_store(setting: Setting) -> str:
    """No room in the store: from the beginning, or from some moment on."""
    subject = setting.fresh()
    store = subject.folder.parent / "store"
    subject.config["store"] = str(store)
    later = setting.random.random() * setting.base.seconds if setting.random.random() < 0.8 else 0
    return _full(setting, subject, store, 20, 300, later)


def full_environments(setting: Setting) -> str:
    """No room for environments."""
    subject = setting.fresh()
    return _full(setting, subject, subject.folder / "results/envs", 20, 3000)


def full_builds(setting: Setting) -> str:
    """No room for build trees."""
    subject = setting.fresh()
    return _full(setting, subject, subject.folder / "results/build", 20, 600)


def full_mirrors(setting: Setting) -> str:
    """No room for git mirrors."""
    subject = setting.fresh()
    return _full(setting, subject, subject.folder / "results/git", 8, 200)


def full_package_cache(setting: Setting) -> str:
    """No room in uv's cache."""
    subject = setting.fresh()
    cache = subject.folder.parent / "packages"
    subject.variables = {**subject.variables, "UV_CACHE_DIR": str(cache)}
    return _full(setting, subject, cache, 20, 2000)


def full_tmpdir(setting: Setting) -> str:
    """No room in TMPDIR."""
    subject = setting.fresh()
    place = subject.folder.parent / "tmp"
    subject.variables = {**subject.variables, "TMPDIR": str(place)}
    return _full(setting, subject, place, 4, 40)


def _full(
    setting: Setting, subject: Subject, place: Path, least: int, most: int, later: float = 0
) -> str:
    """Run where a folder is a small disk of so many kB, then again when it has grown.

    It gets small at once, or some seconds ``later``.
    """
    size = setting.random.randint(least, most)
    with disk(subject, place, None if later else size) as resize:
        run = subject.start(*TARGETS)
        if later:
            time.sleep(later)
            resize(size)
        first = subject.ended(run)
        lines = [s for s in first.text.splitlines() if any(said in s for said in _SAID)]
        if first.code != 0 and (not lines or "Traceback" in first.text):
            raise Broken(f"{size} kB: it was not said in a line:\n{first.text[-3000:]}")
        resize(None)
        subject.finishes()
    return f"{size} kB: {lines[0].strip()[-110:]}" if first.code else f"{size} kB were enough"


def read_only_store(setting: Setting) -> str:
    """A store that a run may not write, from its beginning."""
    subject = setting.fresh()
    with _store_that_locks(subject) as lock:
        subject.finishes()
        shutil.rmtree(subject.results)
        lock(True)
        subject.fails(saying="cannot write into")
        lock(False)
        subject.finishes()
    return ""


def permission_lost(setting: Setting) -> str:
    """A store that cannot be written any more at some moment of a run."""
    subject = setting.fresh()
    with _store_that_locks(subject) as lock:
        run, fraction = subject.start(*TARGETS), setting.random.random()
        time.sleep(fraction * setting.base.seconds)
        lock(True)
        first = subject.ended(run)
        if first.code != 0 and ("Read-only" not in first.text or "Traceback" in first.text):
            raise Broken(f"it was not said in a line:\n{first.text[-3000:]}")
        lock(False)
        subject.finishes()
    return f"at {fraction:.2f} of the run, which ended with {first.code}"


@contextmanager
def _store_that_locks(subject: Subject):
    """Give a project a store; yields what makes it read-only (True) or not."""
    store = subject.folder.parent / "store"
    store.mkdir()
    subject.config["store"] = str(store)
    with apart(subject) as enter:
        subprocess.run([*enter, "mount", "--bind", store, store], check=True)

        def lock(on: bool) -> None:
            # busy while a file is open for writing
            command = [*enter, "mount", "-o", f"remount,bind,{'ro' if on else 'rw'}", store]
            while subprocess.run(command, stderr=subprocess.DEVNULL).returncode:
                time.sleep(0.05)

        yield lock


def clock(setting: Setting) -> str:
    """Time stamps of all files, years off in both directions: no keyed job runs again."""
    subject = setting.finished()
    for folder, _, names in os.walk(subject.folder):
        for name in names:
            when = time.time() + setting.random.uniform(-10, 10) * 365 * 86400
            os.utime(Path(folder) / name, (when, when), follow_symlinks=False)
    ran = subject.finishes().named_jobs
    if ran - {"env_cpu", "wheelhouse"}:
        raise Broken(f"time stamps alone made it run {', '.join(sorted(ran))}")
    return ""


def two_at_once(setting: Setting) -> str:
    """Two runs on one store."""
    return _at_once(setting, 2)


def four_at_once(setting: Setting) -> str:
    """Four runs on one store, one of which is killed."""
    return _at_once(setting, 4)


def _at_once(setting: Setting, number: int) -> str:
    subjects = [setting.fresh() for _ in range(number)]
    store = subjects[0].folder.parent / "store"
    for subject in subjects:
        subject.config["store"] = str(store)
    runs = [subject.start(*TARGETS) for subject in subjects]
    if number > 2:
        time.sleep(setting.random.random() * setting.base.seconds)
        runs.pop().kill()
    ends = [subject.ended(run) for subject, run in zip(subjects, runs, strict=False)]
    if failed := [end.text[-2000:] for end in ends if end.code != 0]:
        raise Broken(f"one beside another failed:\n{failed[0]}")
    for subject in subjects:
        subject.finishes()
    wheels = list(store.glob("wheels/any/greeter/*/*.whl"))
    if len(wheels) != 1:
        raise Broken(f"{len(wheels)} wheels where one is due")
    return ""
