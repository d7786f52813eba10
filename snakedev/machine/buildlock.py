"""One build at a time in a build folder, also after a run that was killed.

The lock is a kernel lock, which ends with the job that holds it. A job that was killed outright
may leave compilers running; they carry the folder's name in their environment, and the next
holder of the lock ends them before it touches the tree.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from snakedev.base import file_lock
from snakedev.base.job import Job

MARK = "SNAKEDEV_BUILD_FOLDER"
"""The variable that every program of a build carries; its value is the build folder."""


@contextmanager
def held(folder: Path, running: Job, shared: Path | None = None) -> Iterator[None]:
    """Hold a build folder's lock, with no program of an earlier holder left running.

    ``shared`` is where the lock lies that builds on other machines see, too, where it is not the
    folder itself.
    """
    shared = shared or folder
    waiting = f"waiting for another build in {shared}"
    with file_lock.held(shared / ".lock", lambda: running.say(waiting)):
        folder.mkdir(parents=True, exist_ok=True)
        for process in _leftovers(folder):
            running.say(f"ending process {process.pid}, left by a build that was killed")
            process.kill()
            process.wait()
        yield


def _leftovers(folder: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(folder):
                yield process
        except psutil.Error:
            continue  # it ended, or is another user's
