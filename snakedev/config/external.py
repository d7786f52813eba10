"""The projects that a repo's build takes in, as repos of the configuration.

Which there are, and at which commits, the repo's source says (envs/REPO.source.json); what
`external_projects` of the repo says, or a repo of the project's name, counts before that.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.config.explain import one_of
from snakedev.config.model import Config
from snakedev.config.repos import ExternalPin, GitPin, Repo
from snakedev.config.source_facts import ExternalProject, SourceFacts, facts_file


def repo_of(project: str) -> str:
    """The name that a project has as a repo."""
    return project.lower().replace("_", "-")


def known_facts(folder: Path, repo: str) -> SourceFacts | None:
    """What is known of a repo's source, be it that of the pin or not; None where nothing is."""
    try:
        return SourceFacts.read(facts_file(folder, repo))
    except (UserError, OSError):
        return None


def with_external_projects(config: Config, folder: Path) -> Config:
    """A configuration in which the projects that builds take in are repos that these need.

    ``folder`` has the files of what is known of sources.
    """
    repos = dict(config.repos)
    for name, entry in config.repos.items():
        facts = known_facts(folder, name) if entry.enabled else None
        for project, known in (facts.external_projects if facts else {}).items():
            said = entry.external_projects.get(project, ExternalPin())
            if repo_of(project) in repos or (pin := _pin(known, said)) is None:
                continue
            version = (said.tag or pin.commit[:12]).removeprefix("v")
            repos[repo_of(project)] = Repo(
                recipe="source", version=version, origin=said.origin, git=pin
            )
        if facts:
            taken = [repo for repo in map(repo_of, facts.external_projects) if repo in repos]
            needs = tuple(dict.fromkeys((*entry.build_needs, *taken)))
            repos[name] = entry.model_copy(update={"build_needs": needs})
    return config.model_copy(update={"repos": repos})


def _pin(project: ExternalProject, said: ExternalPin) -> GitPin | None:
    """What is taken of a project; None where that is a tag, whose commit git alone knows."""
    commit = said.commit or project.commit
    if not re.fullmatch("[0-9a-f]{40}", commit):
        return None
    submodules = True if project.submodules is None else project.submodules
    return GitPin(
        url=said.url or project.repository,
        commit=commit,
        submodules=submodules if said.submodules is None else said.submodules,
    )


def problems(config: Config, facts: SourceFacts) -> Iterator[str]:
    """A line for each thing in which `external_projects` of a repo does not fit its source."""
    entry, key = config.repos[facts.repo], f"repos.{facts.repo}.external_projects"
    for project, said in entry.external_projects.items():
        known = facts.external_projects.get(project)
        if known is None:
            right = one_of(project, [*facts.external_projects])
            yield f"{key}: {facts.repo} {facts.version} takes in no '{project}': {right}"
        elif said.tag is not None and said.tag != known.commit:
            yield (
                f"{key}.{project}.tag: {said.tag}, and {facts.repo} {facts.version} takes in "
                f"{known.commit} of {known.repository}: set tag to that and commit to the commit "
                f"that it stands for, or take both out"
            )
    for project, known in facts.external_projects.items():
        said = entry.external_projects.get(project, ExternalPin())
        if (said.origin or config.origin) == "git" and repo_of(project) not in config.repos:
            yield (
                f"{key}.{project}: {facts.repo} {facts.version} takes in {known.commit} of "
                f"{known.repository}, which is a tag: give it as tag, and as commit the commit "
                f"that it stands for"
            )
