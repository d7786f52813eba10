"""Debian source packages: which version is meant, and what its archive is called."""

import hashlib
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.fetch import debian
from snakedev.fetch.debian import DebianPackages

ARCHIVE = b"upstream's files"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DebianPackages:
    """A mirror that has the source of a package with an epoch."""
    programs = {
        "apt-get": 'case "$*" in *" source "*) printf "upstream\'s files" '
        "> player_7.1.5.orig.tar.xz; touch player_7.1.5.orig.tar.xz.asc;; esac",
        "apt-cache": "echo Version: 7:7.1.5-0+deb13u1",
        "dpkg-deb": "",
    }
    for name, text in programs.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    keyring = tmp_path / "keyring"
    keyring.touch()
    monkeypatch.setattr(debian, "_KEYRING", keyring)
    with job("test", tmp_path / "log") as running:
        yield DebianPackages(tmp_path / "cache", running, "http://mirror.invalid/debian")


@pytest.mark.parametrize("version", ["7.1.5", "7.1.5-0+deb13u1", "7:7.1.5", "7:7.1.5-0+deb13u1"])
def test_a_version_is_found_with_and_without_its_epoch(packages, version):
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    archive = packages.source_archive("player", version, "trixie", digest)
    assert archive.name == "player_7.1.5.orig.tar.xz" and archive.read_bytes() == ARCHIVE


def test_another_version_is_refused_with_what_there_is(packages):
    with pytest.raises(UserError, match=r"no source package player 7\.1: it has 7:7\.1\.5-0"):
        packages.source_archive("player", "7.1", "trixie", "0" * 64)
