"""A name and a home folder for users that have none, as containers and batch systems run them.

Snakemake, uv and others end in a traceback without a name, or without a home folder to write their
caches in. What is set here they take instead. `make` has each Python of .venv run this file as it
starts (tools/user.pth), so it is quick, and imports nothing but the standard library.
"""

import os
from pathlib import Path

_NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


def settle(cache: Path) -> None:
    """Set USER, HOME or XDG_CACHE_HOME where this user has no such thing that serves.

    ``cache`` is the folder that a home folder is made in.
    """
    if not any(map(os.environ.get, _NAMES)) and _entry() is None:
        os.environ["USER"] = str(os.getuid())
    home = os.environ.get("HOME") or (entry.pw_dir if (entry := _entry()) else "")
    if os.access(home, os.W_OK | os.X_OK):
        return
    try:
        # one that is there may hold settings, though nothing can be written
        if os.path.isdir(home) and home != os.sep:
            (cache / "home/.cache").mkdir(parents=True, exist_ok=True)
            os.environ.setdefault("XDG_CACHE_HOME", str(cache / "home/.cache"))
        else:
            (cache / "home").mkdir(parents=True, exist_ok=True)
            os.environ["HOME"] = str(cache / "home")
    except OSError:
        pass  # what cannot be written there is said where that is found


def _entry():  # type: ignore[no-untyped-def]
    import pwd  # imported only where it is needed: it may ask a server

    try:
        return pwd.getpwuid(os.getuid())
    except KeyError:
        return None
