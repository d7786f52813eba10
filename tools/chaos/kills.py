"""Processes of a run that are killed outright, at a random moment, once or several times."""

import os
import shutil
import signal
import time
from collections.abc import Callable

import psutil

from tools.chaos.setting import Setting
from tools.chaos.subject import TARGETS, Subject

Pick = Callable[[psutil.Process, Subject], list[psutil.Process]]


def main_process(setting: Setting) -> str:
    """Kill the run's own process."""
    return _harm(setting, _main)


def job(setting: Setting) -> str:
    """Kill the process of a job."""
    return _harm(setting, _jobs)


def child(setting: Setting) -> str:
    """Kill a program that a job runs: git, uv, a compiler."""
    return _harm(setting, _children)


def job_server(setting: Setting) -> str:
    """Kill the process that deals out cores, while a build holds some: the run's own."""
    return _harm(setting, _server)


def anything(setting: Setting) -> str:
    """Kill several processes at one moment, any of the run's."""
    return _harm(setting, lambda main, _: [main, *main.children(recursive=True)], share=0.5)


def _harm(setting: Setting, pick: Pick, share: float = 0) -> str:
    """Kill, begin again, up to five times; then the command must finish."""
    subject, told = setting.fresh(), []
    for turn in range(setting.random.randint(2, 5)):
        # each time there is less left to do
        fraction, began = setting.random.random() / (1 + turn / 2), time.monotonic()
        if what := kill(subject, pick, fraction * setting.base.seconds, setting, share):
            told.append(f"{what} at {fraction:.2f}")
            setting.base.kills += 1
        else:
            # it was faster than the undisturbed run, as when the machine was busy with others then
            setting.base.seconds = min(setting.base.seconds, time.monotonic() - began)
            shutil.rmtree(subject.results)
    subject.finishes()
    return f"{len(told)} kills: {', '.join(told)}" if told else "0 kills: it was faster"


def kill(
    subject: Subject, pick: Pick, after: float, setting: Setting, share: float = 0, *targets: str
) -> str:
    """Begin a run and kill, some seconds later, what is picked of it; says what that was.

    Nothing is killed of a run that ends before. Of several, one is killed, or a ``share``.
    """
    run, began = subject.start(*(targets or TARGETS)), time.monotonic()
    main, what = psutil.Process(run.pid), ""
    while run.poll() is None and not what:
        if time.monotonic() - began < after:
            time.sleep(0.01)
            continue
        try:
            found = pick(main, subject)
        except psutil.Error:
            continue
        victims = [one for one in found if setting.random.random() < share]
        for victim in victims or (found and [setting.random.choice(found)]):
            try:
                name = victim.name()
                os.kill(victim.pid, signal.SIGKILL)
                what = what or name
            except (psutil.Error, ProcessLookupError):
                pass
        time.sleep(0.01)
    subject.ended(run)
    return what


def _main(main: psutil.Process, _: Subject) -> list[psutil.Process]:
    return [main]


def _jobs(main: psutil.Process, _: Subject) -> list[psutil.Process]:
    return [
        process
        for process in main.children(recursive=True)
        if any(".snakemake/scripts/" in word for word in process.cmdline())
    ]


def _children(main: psutil.Process, subject: Subject) -> list[psutil.Process]:
    jobs = _jobs(main, subject)
    found = {p for one in jobs for p in one.children(recursive=True)} - set(jobs)
    return sorted(found, key=lambda process: process.pid)


def _server(main: psutil.Process, subject: Subject) -> list[psutil.Process]:
    builds = subject.results.glob("build/*/*/**/jobs")
    return [main] if any(pipe.is_fifo() for pipe in builds) and _children(main, subject) else []


PICKS: dict[str, Pick] = {
    "main_process": _main,
    "job": _jobs,
    "child": _children,
    "job_server": _server,
}
