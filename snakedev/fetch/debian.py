"""Debian packages without root: a private apt with its own lists, downloads and unpacking.

The mirror is the one in this machine's apt configuration unless another is given; signatures are
checked by apt with the machine's Debian keyring. Nothing of the system is changed.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from snakedev.base.digests import file_sha256
from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.process import CommandError, output
from snakedev.store.image_spec import Deb

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PROGRAMS = ("apt-get", "apt-cache", "dpkg-deb")
# What `apt-get --print-uris` says of a file: 'URI' NAME SIZE SHA256:DIGITS
_FILE = re.compile(
    r"^'[^']+' (?P<file>\S+\.deb) \d+ SHA256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE
)
# What apt takes for an installed package.
_INSTALLED = """Package: {name}
Status: install ok installed
Maintainer: nobody <nobody@localhost>
Architecture: all
Version: 9999
Description: stands for the package

"""


def lacking() -> str:
    """What this machine lacks of what Debian packages are fetched with; empty where it has all."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    return ", ".join(missing) or ("" if _KEYRING.is_file() else "Debian keyring")


@dataclass(frozen=True)
class DebianPackages:
    """A private view of a Debian mirror, kept in a cache folder."""

    cache: Path
    running: Job
    mirror: str | None = None

    def newest(self, package: str, suites: Sequence[str], prefix: str = "") -> str:
        """The highest version of a binary package in the suites that starts with ``prefix``.

        Raises UserError when the suites have none.
        """
        self._update(suites)
        text = self._apt("apt-cache", suites, "madison", package)
        rows = [line.split("|") for line in text.splitlines() if line.count("|") == 2]
        versions = [row[1].strip() for row in rows if row[2].rstrip().endswith("Packages")]
        for version in versions:  # madison lists the highest first
            if version.startswith(prefix):
                return version
        raise UserError(
            f"no Debian package {package} {prefix} in {', '.join(suites)}: found "
            f"{', '.join(versions) or 'none'}"
        )

    def unpack(
        self, packages: Sequence[str], version: str, suites: Sequence[str], into: Path
    ) -> dict[str, str]:
        """Download binary packages of one version and unpack them into a folder.

        Returns the sha256 of each downloaded file by its name.
        """
        self._update(suites)
        folder = self.cache.resolve() / "debs"
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [f"{package}={version}" for package in packages]
        self._apt("apt-get", suites, "download", *wanted, cwd=folder)
        digests = {}
        for package in packages:
            files = sorted(folder.glob(f"{package}_{version.replace(':', '%3a')}_*.deb"))
            if not files:
                raise UserError(f"{package}={version}: apt-get downloaded no such file")
            self.running.run(["dpkg-deb", "-x", files[0], into])
            digests[files[0].name] = file_sha256(files[0])
        return digests

    def resolved(
        self, packages: Sequence[str], suites: Sequence[str], unused: Iterable[str] = ()
    ) -> list[Deb]:
        """The newest versions of packages and of all that they need but ``unused``, by name.

        The lists of packages are read anew. Raises UserError for what the suites do not have.
        """
        self._update(suites, anew=True)
        with tempfile.NamedTemporaryFile("w", suffix=".status", encoding="utf-8") as status:
            status.write("".join(_INSTALLED.format(name=name) for name in unused))
            status.flush()
            options = [f"Dir::State::status={status.name}", "Acquire::ForceHash=SHA256"]
            words = [word for option in options for word in ("-o", option)]
            said = self._apt("apt-get", suites, "install", "--print-uris", *words, *packages)
        debs = []
        for found in _FILE.finditer(said):
            name, version, _ = found["file"].split("_")
            debs.append(Deb(name=name, version=unquote(version), **found.groupdict()))
        return sorted(debs, key=lambda deb: deb.name)

    def pinned(self, debs: Sequence[Deb], suites: Sequence[str], again: str) -> list[Path]:
        """The files of packages, downloaded where they are not there yet.

        ``again`` is the command that pins what the mirror has. Raises UserError for a package that
        it has no longer, or has with another content.
        """
        folder = self.cache.resolve() / "debs"
        folder.mkdir(parents=True, exist_ok=True)
        missing = [deb for deb in debs if _sha256(folder / deb.file) != deb.sha256]
        if missing:
            self.running.say(f"downloading {len(missing)} packages of Debian's {suites[0]}")
            wanted = [f"{deb.name}={deb.version}" for deb in missing]
            self._update(suites, anew=True)
            try:
                self._apt("apt-get", suites, "download", *wanted, cwd=folder)
            except UserError as error:
                raise UserError(f"{error}: what it has now is pinned by `{again}`") from None
        for deb in missing:
            if (found := _sha256(folder / deb.file)) != deb.sha256:
                raise UserError(
                    f"{deb.file}: sha256 is {found}, pinned is {deb.sha256}: pin what the mirror "
                    f"has by `{again}`"
                )
        return [folder / deb.file for deb in debs]

    def source_archive(self, name: str, version: str, suite: str, sha256: str) -> Path:
        """Download a source package's upstream archive (.orig.tar.*), checked against sha256.

        ``version`` is the upstream part or the whole Debian version; an epoch may be left out.
        """
        folder = self.cache.resolve() / "sources"
        folder.mkdir(parents=True, exist_ok=True)
        for archive in folder.glob(f"{name}_*.orig.tar.*"):
            if file_sha256(archive) == sha256:
                return archive
        self._update([suite])
        available = self._apt("apt-cache", [suite], "showsrc", name)
        versions = [
            line.split(":", 1)[1].strip()
            for line in available.splitlines()
            if line.startswith("Version:")
        ]
        fitting = [
            found
            for found in versions
            if version in (found, _without_epoch(found), found.rsplit("-", 1)[0], _upstream(found))
        ]
        if not fitting:
            raise UserError(
                f"Debian's {suite} has no source package {name} {version}: it has "
                f"{', '.join(versions) or 'none'}"
            )
        upstream = _upstream(fitting[0])
        self._apt(
            "apt-get", [suite], "source", "--download-only", f"{name}={fitting[0]}", cwd=folder
        )
        for archive in sorted(folder.glob(f"{name}_{upstream}.orig.tar.*")):
            if archive.suffix != ".asc":
                found = file_sha256(archive)
                if found != sha256:
                    archive.unlink()
                    raise UserError(f"{archive.name}: sha256 is {found}, pinned is {sha256}")
                return archive
        raise UserError(f"{name} {version}: apt-get downloaded no upstream archive")

    def _update(self, suites: Sequence[str], *, anew: bool = False) -> None:
        lists = self._root(suites) / "state" / "lists"
        if anew or not any(lists.glob("*_Packages*")):
            self.running.note(f"reading the package lists of {', '.join(suites)}")
            self._apt("apt-get", suites, "update", "--error-on=any")

    def _root(self, suites: Sequence[str]) -> Path:
        return self.cache.resolve() / "apt" / "-".join(suites)

    def _apt(
        self, program: str, suites: Sequence[str], *arguments: str, cwd: Path | None = None
    ) -> str:
        if missing := lacking():
            raise UserError(
                f"this machine has no {missing}, so Debian "
                "packages cannot be used: install python3.14t (or set interpreter.provider: uv) "
                "and libnuma's headers with this system's package manager"
            )
        root = self._root(suites)
        for folder in ("state/lists/partial", "cache/archives/partial"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "state" / "status").touch()
        mirror = self.mirror or _machine_mirror()
        lines = [
            f"{kind} [signed-by={_KEYRING}] {mirror} {suite} main"
            for suite in suites
            for kind in ("deb", "deb-src")
        ]
        (root / "sources.list").write_text("\n".join(lines) + "\n", encoding="utf-8")
        options = {
            "Dir::Etc::sourcelist": root / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::State": root / "state",
            "Dir::State::status": root / "state" / "status",
            "Dir::Cache": root / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "Debug::NoLocking": "true",
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        try:
            return output([program, "-q", *words, *arguments], cwd=cwd)
        except CommandError as error:
            for line in error.tail:
                self.running.note(line)
            reasons = [line for line in error.tail if line.startswith(("E:", "Err:"))]
            raise UserError(
                f"{program} {arguments[0]} failed for Debian's {', '.join(suites)}: "
                f"{' '.join(reasons) or 'see the log'}"
            ) from None


def _sha256(file: Path) -> str | None:
    """A file's digest; None where there is none."""
    return file_sha256(file) if file.is_file() else None


def _without_epoch(version: str) -> str:
    """A Debian version without its epoch, which names of files leave out."""
    return version.split(":", 1)[-1]


def _upstream(version: str) -> str:
    """Upstream's part of a Debian version."""
    return _without_epoch(version).rsplit("-", 1)[0]


def _machine_mirror() -> str:
    """The Debian mirror in this machine's apt configuration; raises UserError without one."""
    sites = output(["apt-get", "indextargets", "--format", "$(SITE)"]).split()
    for site in sites:
        if site.rstrip("/").endswith("/debian"):
            return site
    raise UserError(
        "no Debian mirror in this machine's apt configuration: set registries.debian in "
        "config.yaml to one, or use interpreter.provider system or uv"
    )
