"""Inputs made by somebody who means harm: archives, patches, names and texts; and secrets."""

import io
import os
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tools.chaos.network import SDIST, Index, archive, take_release, use
from tools.chaos.setting import Setting
from tools.chaos.space import disk
from tools.chaos.subject import FILES, Broken, Subject

_SECRET = "s3cr3t-of-the-suite"
Member = Callable[[tarfile.TarInfo, Path], None]


def archive_climbing(setting: Setting) -> str:
    """A release with a path that leads out by `..`."""
    return _unpacked(setting, _named(lambda outside: f"greeter-1.0{'/..' * 20}{outside}"))


def archive_absolute(setting: Setting) -> str:
    """A release with an absolute path."""
    return _unpacked(setting, _named(lambda outside: str(outside)))


def archive_symlink(setting: Setting) -> str:
    """A release that writes through a link of its own."""
    return _unpacked(setting, _typed(tarfile.SYMTYPE), through=True)


def archive_hard_link(setting: Setting) -> str:
    """A release with a hard link to a file outside."""
    return _unpacked(setting, _typed(tarfile.LNKTYPE))


def archive_device(setting: Setting) -> str:
    """A release with a device."""
    return _unpacked(setting, _typed(setting.random.choice((tarfile.CHRTYPE, tarfile.FIFOTYPE))))


def _named(name: Callable[[Path], str]) -> Member:
    return lambda member, outside: setattr(member, "name", name(outside))


def _typed(kind: bytes) -> Member:
    def change(member: tarfile.TarInfo, outside: Path) -> None:
        member.type, member.linkname, member.size = kind, str(outside.parent), 0
        if kind == tarfile.LNKTYPE:
            member.linkname = str(outside.parent / "said")

    return change


def _unpacked(setting: Setting, change: Member, *, through: bool = False) -> str:
    """Make a source of a release with a member that is changed to do harm."""
    subject = setting.fresh()
    outside = subject.folder.parent / "outside"
    packed = io.BytesIO(archive(FILES))
    members = io.BytesIO()
    with tarfile.open(fileobj=packed) as old, tarfile.open(fileobj=members, mode="w:gz") as new:
        for one in old.getmembers():
            new.addfile(one, old.extractfile(one))
        evil = tarfile.TarInfo("greeter-1.0/evil")
        evil.size = 4
        change(evil, outside)
        new.addfile(evil, io.BytesIO(b"evil"))
        if through:
            inner = tarfile.TarInfo("greeter-1.0/evil/outside")
            inner.size = 4
            new.addfile(inner, io.BytesIO(b"evil"))
    return _release(subject, members.getvalue(), outside)


def _release(subject: Subject, data: bytes, outside: Path) -> str:
    take_release(subject, data)
    with Index({SDIST: data}).served() as address:
        use(subject, address)
        first = subject.run("sources")
        if "Traceback" in first.text or (first.code and SDIST not in first.text):
            raise Broken(f"it was not said in a line:\n{first.text[-2500:]}")
    _nothing_outside(subject, outside)
    said = [line for line in first.text.splitlines() if f"failed: {SDIST}" in line]
    if not said:
        raise Broken("the archive was taken")
    take_release(subject, data := archive(FILES))
    with Index({SDIST: data}).served() as address:
        use(subject, address)
        subject.finishes("sources")
    return said[0][:140].replace(str(subject.folder.parent), "")


def _nothing_outside(subject: Subject, outside: Path) -> None:
    if outside.exists() or (subject.folder / "outside").exists():
        raise Broken(f"{outside} was written")
    if any("evil" in path.name for path in subject.results.glob("sources/*/*/tree/.git/**/*")):
        raise Broken("something was written into .git")


def patch_outside(setting: Setting) -> str:
    """A patch that makes a file outside, in `.git`, or through a link."""
    subject = setting.fresh()
    outside = subject.folder.parent / "outside"
    target = setting.random.choice(
        ("../" * 12 + str(outside)[1:], ".git/hooks/evil", ".GIT/hooks/evil", str(outside))
    )
    folder = subject.folder / "patches/greeter"
    folder.mkdir(parents=True)
    (folder / "0001-evil.patch").write_text(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
        "From: A <a@example.org>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: [PATCH] Evil\n\n"
        f"---\ndiff --git a/{target} b/{target}\nnew file mode 100755\n--- /dev/null\n"
        f"+++ b/{target}\n@@ -0,0 +1 @@\n+evil\n-- \n2.39.5\n"
    )
    first = subject.run("sources")
    if first.code == 0 or "Traceback" in first.text or "0001-evil" not in first.text:
        raise Broken(f"{target}: it was not said in a line:\n{first.text[-2500:]}")
    _nothing_outside(subject, outside)
    said = next(line for line in first.text.splitlines() if "0001-evil" in line)
    (folder / "0001-evil.patch").unlink()
    subject.finishes("sources")
    return f"{target[-30:]}: {said[-100:]}"


def names(setting: Setting) -> str:
    """Addresses, commits and names that try to be options or commands."""
    subject = setting.fresh()
    outside = subject.folder.parent / "outside"
    pin = dict(subject.config["repos"]["greeter"]["git"])
    harmless = subject.config["repos"]["greeter"]
    told = []
    for key, value in (
        ("url", f"--upload-pack=touch {outside}"),
        ("url", f"ext::sh -c touch% {outside}"),
        ("url", f"ssh://-oProxyCommand=touch {outside}/x"),
        ("url", f"file:///tmp/$(touch {outside})"),
        ("commit", f"--output={outside}"),
        ("version", f"1.0; touch {outside}"),
        ("name", "--help"),
        ("name", "../../outside"),
    ):
        changed = {**harmless, "git": {**pin, key: value}} if key in pin else {**harmless}
        if key == "version":
            changed["version"] = value
        subject.config["repos"]["greeter"] = changed
        if key == "name":
            subject.config["repos"][value] = subject.config["repos"].pop("greeter")
        first = subject.run("sources")
        # a version is only a text until a wheel is built
        if "Traceback" in first.text or (first.code == 0 and key != "version"):
            raise Broken(f"{key} {value}: it was not said in a line:\n{first.text[-2000:]}")
        _nothing_outside(subject, outside)
        subject.config["repos"].pop(value, None)
        told.append(key)
    subject.config["repos"]["greeter"] = harmless
    subject.finishes("sources")
    return f"{len(told)} refused"


def markup(setting: Setting) -> str:
    """A patch whose subject, author and text are HTML."""
    subject = setting.fresh()
    subject.upstreams = subject.folder.parent / "upstream"
    subject.config["repos"].pop("greeter")
    subject.add_repo("greeter", "setuptools", FILES, build_needs=["words"])
    evil = "<script>alert(1)</script>"
    patch = subject.add_patch(
        "greeter", "0001-evil", "setup.py", "import os", f"import os  # {evil}"
    )
    text = patch.read_text().replace("0001 evil", evil).replace("A. Tester", f'"{evil}"')
    patch.write_text(text)
    subject.finishes("patch_report")
    page = (subject.results / "reports/patches.html").read_text()
    if evil in page or "&lt;script&gt;" not in page:
        raise Broken("the page has the patch's markup as its own")
    return ""


def secrets(setting: Setting) -> str:
    """Tokens and passwords of the environment, netrc and addresses: in no file, no command line."""
    subject = setting.fresh()
    home = subject.folder.parent / "home"
    home.mkdir()
    upstream = subject.config["repos"]["greeter"]["git"]["url"]
    (home / ".netrc").write_text(f"machine forge.invalid login me password {_SECRET}\n")
    (home / ".gitconfig").write_text(
        f'[url "{upstream}"]\n\tinsteadOf = https://me:{_SECRET}@forge.invalid/greeter\n'
    )
    subject.config["repos"]["greeter"]["git"]["url"] = f"https://me:{_SECRET}@forge.invalid/greeter"
    data = archive(FILES)
    seen: set[str] = set()
    with Index({SDIST: data}).served() as address:
        use(subject, address.replace("://", f"://me:{_SECRET}@"))
        cache = {"UV_CACHE_DIR": str(setting.base.folder / "packages"), "UV_OFFLINE": "1"}
        tokens = dict.fromkeys(("HF_TOKEN", "GITHUB_TOKEN", "UV_PUBLISH_TOKEN"), _SECRET)
        subject.variables = {**subject.variables, **cache, **tokens, "HOME": str(home)}
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(subject, seen, over))
        watch.start()
        subject.run("sources")
        take_release(subject, data)
        subject.finishes("sources")
        over.set()
        watch.join()
    found = {
        str(path.relative_to(subject.folder))
        for path in (Path(f) / name for f, _, names in os.walk(subject.folder) for name in names)
        if path.is_file() and path.name != "config.yaml" and _SECRET.encode() in path.read_bytes()
    }
    if found := {name for name in found if not name.startswith("results/specs/")} | seen:
        raise Broken(f"the secret stands in {', '.join(sorted(found))}")
    return "only results/specs has the address that config.yaml has"


def _watch(subject: Subject, seen: set[str], over: threading.Event) -> None:
    """Note the command lines that hold the secret."""
    while not over.wait(0.005):
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
                if _SECRET in " ".join(words) and Path(process.cwd()).is_relative_to(
                    subject.folder
                ):
                    seen.add(" ".join(words[:4])[:90])
            except psutil.Error:
                continue


def bomb(setting: Setting) -> str:
    """A release that unpacks to more than the disk holds."""
    subject = setting.fresh()
    store = subject.folder.parent / "store"
    subject.config["store"] = str(store)
    data = archive({**FILES, "zeros": bytes(64 << 20)})
    take_release(subject, data)
    with Index({SDIST: data}).served() as address, disk(subject, store, None) as resize:
        use(subject, address)
        run = subject.start("sources")
        # that much has to be free when it begins
        while run.poll() is None and not (subject.results / ".jobserver").exists():
            time.sleep(0.01)
        resize(16 << 10)
        first = subject.ended(run)
        if first.code == 0 or "No space left" not in first.text or "Traceback" in first.text:
            raise Broken(f"it was not said in a line:\n{first.text[-2500:]}")
        left = sum(path.stat().st_size for path in subject.shared.rglob("*") if path.is_file())
        if left > 1 << 20:
            raise Broken(f"it left {left} bytes")
        resize(None)
        subject.finishes("sources")
    return f"{len(data) >> 10} kB that are 64 MB"
