"""One byte that changed in what is kept: found before it is used, said, and made again."""

import shutil
from pathlib import Path

from tools.chaos.setting import LeftOut, Setting
from tools.chaos.subject import TARGETS, Broken, Subject


def stored_wheel(setting: Setting) -> str:
    """A wheel in the store, which an environment and the wheelhouse take."""
    subject = setting.finished()
    setting.flip(_one(subject, "wheels/*/greeter/*/*.whl"))
    _forget(subject, "envs/run-cpu*", "stamps/view", "wheelhouse")
    return _made_again(subject, "is removed")


def needed_source(setting: Setting) -> str:
    """A file of a source that another build reads."""
    subject = setting.finished()
    setting.flip(_one(subject, "sources/words/*/tree/greeting.txt"))
    _forget(subject, "envs/run-cpu*", "wheels")
    return _made_again(subject, "is removed")


def source_object(setting: Setting) -> str:
    """Git's objects of the source that is built."""
    subject = setting.finished()
    setting.flip(_drawn(setting, subject, "sources/greeter/*/tree/.git/objects/??/*"))
    _forget(subject, "envs/run-cpu*", "wheels", "build")
    return _made_again(subject, "is removed", "git ended")


def mirror(setting: Setting) -> str:
    """Git's objects of a mirror, which sources are made from."""
    subject = setting.finished()
    setting.flip(_drawn(setting, subject, "git/greeter.git/objects/??/*"))
    _forget(subject, "sources/greeter", "envs/run-cpu*", "wheels")
    return _made_again(subject, "is damaged", "git ended")


def record(setting: Setting) -> str:
    """A record that holds nothing, as after a power failure, and its stamp."""
    subject = setting.finished()
    pattern, *made_of_it = setting.random.choice(
        (
            ("wheels/*/greeter/*/wheel.json", "envs/run-cpu*"),
            ("sources/words/*/source.json", "wheels", "envs/run-cpu*"),
            ("envs/run-*-*/env.json",),
        )
    )
    whole = _one(subject, pattern)
    _forget(subject, *made_of_it)
    for path in (whole, *subject.results.glob(f"stamps/*/**/{whole.parent.name[-16:]}.json")):
        path.write_bytes(b"")
    return f"{whole.name}: {_made_again(subject, 'damaged')}"


def stamp(setting: Setting) -> str:
    """What Snakemake sees of an artifact, emptied."""
    subject = setting.finished()
    for path in subject.results.glob("stamps/*/**/*.json"):
        if path.parts[-4] != "view":
            path.write_bytes(b"")
    _forget(subject, "envs/run-cpu*")
    return _made_again(subject, "")


def compiler_cache(setting: Setting) -> str:
    """What ccache keeps: it checks that itself."""
    subject = setting.finished()
    kept = [p for p in subject.results.glob("cache/ccache/**/*R") if p.is_file()]
    if not kept:
        raise LeftOut("what setuptools compiles does not go through ccache")
    setting.flip(setting.random.choice(kept))
    _forget(subject, "wheels", "build", "envs/run-cpu*")
    return _made_again(subject, "")


def build_tree(setting: Setting) -> str:
    """A source file in a build tree, which the next build finds there."""
    subject = setting.finished()
    setting.flip(_one(subject, "build/any/greeter/*/tree/greeter/_greet.c"))
    _forget(subject, "wheels", "envs/run-cpu*")
    return _made_again(subject, "")


def _made_again(subject: Subject, *said: str) -> str:
    """Run until the command ends well, twice at most; what was done about it is said, if any is."""
    first = subject.run(*TARGETS)
    if "Traceback" in first.text:
        raise Broken(f"a traceback:\n{first.text[-2000:]}")
    if first.code != 0 and (not said[0] or said[0] not in first.text):
        raise Broken(f"it was not said in a line:\n{first.text[-2000:]}")
    lines = [line for line in first.text.splitlines() if said[0] and said[0] in line]
    subject.finishes()
    told = lines[0].replace(str(subject.folder), "")[:150] if lines else "it harmed nothing"
    return f"{told} ({'the next run' if first.code else 'the same run'} made it)"


def _one(subject: Subject, pattern: str) -> Path:
    (found,) = [path for path in subject.shared.glob(pattern) if not path.parent.is_symlink()]
    return found


def _drawn(setting: Setting, subject: Subject, pattern: str) -> Path:
    return setting.random.choice(sorted(subject.shared.glob(pattern)))


def _forget(subject: Subject, *patterns: str) -> None:
    """Remove what was made of it, so that it is made again."""
    for pattern in patterns:
        for path in subject.results.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
