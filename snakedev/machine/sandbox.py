"""Fixed paths for builds: a build sees its folders at the same places, wherever they lie.

Compilers and build systems write paths into what they make: debug information, messages, names
that are hashes of paths, room for run paths. So a build gets a mount namespace whose root is the
machine's own, with the build's folders under /snakedev besides, much as Nix and bubblewrap do it.
One input then gives one wheel in every folder, and a compiler cache serves other folders too.

This file is also the program that sets up the namespace and becomes the build in it, so it
imports nothing but the standard library.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path("/snakedev")
"""Where builds see their folders."""

# mount(2)
_MS_BIND = 1 << 12
_MS_REC = 1 << 14
_MS_UNBINDABLE = 1 << 17


class Sandbox:
    """The folders of a build, and the namespaces that it runs in."""

    def __init__(self, mount_point: Path, *, fixed_paths: bool, cut_network: bool):
        """``mount_point`` is an empty folder that builds do not see otherwise.

        Without ``fixed_paths``, where the kernel does not permit them, a build sees real paths.
        """
        self.fixed_paths = fixed_paths
        self._mount_point, self.cut_network = mount_point, cut_network
        self._places: dict[str, Path] = {}

    def place(self, name: str, real: Path) -> Path:
        """Show a folder under a name, or a file in place of another; returns the path to use."""
        self._places[name] = real.resolve()
        return ROOT / name if self.fixed_paths else self._places[name]

    def maps(self, option: str) -> str:
        """Compiler flags that write the fixed paths where the build sees others."""
        if self.fixed_paths:
            return ""
        return " ".join(f"{option}={real}={ROOT / name}" for name, real in self._places.items())

    def command(self, *command: str | Path) -> list[str | Path]:
        """The command that runs another in the sandbox."""
        unshare = ["unshare", "--user", "--map-root-user", *(["--net"] if self.cut_network else [])]
        if self.fixed_paths:
            enter = ["--mount", sys.executable, "-I", "-S", __file__, str(self._mount_point)]
            places = [word for name, real in self._places.items() for word in (real, ROOT / name)]
            return [*unshare, *enter, *places, "--", *command]
        return [*unshare, *command] if self.cut_network else [*command]


def permitted(*, fixed_paths: bool = False, cut_network: bool = False) -> bool:
    """Whether a program can be started in a sandbox of this kind, here and now.

    Each build asks: what the kernel permits depends on settings, on the container, on the user.
    """
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), fixed_paths=fixed_paths, cut_network=cut_network)
        try:
            done = subprocess.run(sandbox.command("true"), capture_output=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), None) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def _bind(source: str, target: str) -> None:
    """Show a folder or file, with what is mounted in it, in another place too."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        open(target, "xb").close()
    _mount(source, target, None, _MS_BIND | _MS_REC)


def _enter(root: str, places: list[tuple[str, str]], command: list[str]) -> None:
    """Make the root and become the command in it, in the same working folder."""
    folder = os.getcwd()
    _mount("tmpfs", root, "tmpfs", 0)
    # or it would be bound into itself
    _mount(None, root, None, _MS_UNBINDABLE)
    for entry in os.scandir("/"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), root + entry.path)
        else:
            _bind(entry.path, root + entry.path)
    for real, seen in places:
        _bind(real, root + seen)
    os.chroot(root)
    os.chdir(dict(places).get(folder, folder))
    os.execvp(command[0], command)


if __name__ == "__main__":
    split = sys.argv.index("--")
    words = sys.argv[2:split]
    _enter(sys.argv[1], [*zip(words[::2], words[1::2], strict=True)], sys.argv[split + 1 :])
