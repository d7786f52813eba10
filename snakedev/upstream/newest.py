"""The newest state of an upstream: its branch where git can be asked, else its newest release."""

from dataclasses import dataclass

from snakedev.base.errors import UserError
from snakedev.bump.releases import newer
from snakedev.bump.target import Places
from snakedev.config.repos import GitPin, ReleasePin
from snakedev.fetch.indexes import public_address
from snakedev.fetch.mirror import look_up
from snakedev.upstream.project import Project


@dataclass(frozen=True)
class Newest:
    """What drafts stand on."""

    pin: GitPin | ReleasePin
    place: str
    """For a reader: the branch and commit, or the release."""
    notes: tuple[str, ...] = ()
    """What could not be asked."""


def newest(places: Places, repo: str, project: Project | None) -> Newest:
    """The newest state that can be had of a repo's upstream; its pin where nobody answers."""
    config, running = places.config, places.running
    entry = config.repos[repo]
    notes: list[str] = []
    # a project that is a folder of the source, or lies otherwise there, is looked at there
    if project is not None and project.folder is None and not project.paths:
        branch = project.branch or "HEAD"
        # the address of config.yaml may hold a password
        known = entry.git is not None and public_address(entry.git.url) == project.url
        url = entry.git.url if entry.git is not None and known else project.url
        try:
            commit = look_up(places.layout, repo, url, branch, running)
            name = project.branch or "the default branch"
            return Newest(GitPin(url=url, commit=commit), f"{name} at {commit[:12]}")
        except UserError as error:
            notes.append(str(error))
    pin = config.pin_of(repo)
    released = entry.release if entry.release and entry.release.kind == "sdist" else None
    if released is not None:
        try:
            page = places.index.pages([released.name])[released.name]
            found, _ = newer(repo, page, entry.version, config.interpreter.version)
            if found:
                last = {"version": str(found[-1].version), "sha256": found[-1].sha256}
                released = released.model_copy(update=last | {"commit": None})
            return Newest(released, f"release {released.version}", tuple(notes))
        except UserError as error:
            notes.append(str(error))
    at = f"commit {pin.commit[:12]}" if isinstance(pin, GitPin) else f"release {pin.version}"
    return Newest(pin, f"its pin, {at}", tuple(notes))
