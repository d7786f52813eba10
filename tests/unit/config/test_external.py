"""Projects that a build takes in, as repos: from what a source says, and what config.yaml says."""

from pathlib import Path

import pytest

from snakedev.config.external import problems, with_external_projects
from snakedev.config.model import Config
from snakedev.config.read import check
from snakedev.config.source_facts import ExternalProject, SourceFacts, facts_file
from tests.unit.default_config import changed

COMMIT, OTHER = "1" * 40, "2" * 40
FACTS = SourceFacts(
    repo="vllm",
    version="9.9",
    requirements={},
    build_requirements={},
    external_projects={
        "new_project": ExternalProject(
            repository="https://example.org/new.git",
            commit=COMMIT,
            variable="NEW_SRC_DIR",
            submodules=("third-party/cutlass",),
        ),
        "triton_kernels": ExternalProject(
            repository="https://example.org/triton.git", commit="v3.9.0", variable="T_SRC_DIR"
        ),
    },
)


def config(folder: Path, said: dict[str, object], **repos: object) -> Config:
    """The default configuration, with what it says of these projects."""
    FACTS.write(facts_file(folder, "vllm"))
    values = changed("repos/vllm/external_projects", said)
    values["repos"] |= repos
    return with_external_projects(check(values), folder)


def test_a_project_that_a_source_brings_is_a_repo_that_its_build_needs(tmp_path):
    made = config(tmp_path, {})
    repo = made.repos["new-project"]
    assert (repo.recipe, repo.version, repo.release) == ("source", "111111111111", None)
    assert repo.git is not None
    assert (repo.git.url, repo.git.commit) == ("https://example.org/new.git", COMMIT)
    assert repo.git.submodules == ("third-party/cutlass",)
    assert made.repos["vllm"].build_needs == ("onednn", "cutlass", "new-project")
    # once more, as the plan of a job's process does it
    assert with_external_projects(made, tmp_path) == made


def test_what_config_says_of_it_counts_before_that(tmp_path):
    said = {"url": "/home/me/new", "commit": OTHER, "submodules": False, "origin": "git"}
    made = config(tmp_path, {"new_project": said})
    repo = made.repos["new-project"]
    assert repo.git is not None and (repo.git.commit, repo.git.submodules) == (OTHER, False)
    assert made.has_pin("new-project") and repo.version == "2" * 12
    own = {"recipe": "source", "version": "1", "git": {"url": "https://a.b", "commit": OTHER}}
    made = config(tmp_path, {}, **{"new-project": own})
    assert made.repos["new-project"].version == "1"
    assert "new-project" in made.repos["vllm"].build_needs


def test_a_tag_needs_the_commit_that_it_stands_for(tmp_path):
    made = config(tmp_path, {})
    assert "triton-kernels" not in made.repos and not [*problems(made, FACTS)]
    (line,) = problems(config(tmp_path, {"triton_kernels": {"origin": "git"}}), FACTS)
    assert line == (
        "repos.vllm.external_projects.triton_kernels: vllm 9.9 takes in v3.9.0 of "
        "https://example.org/triton.git, which is a tag: give it as tag, and as commit the commit "
        "that it stands for"
    )
    said = {"triton_kernels": {"tag": "v3.9.0", "commit": OTHER}}
    made = config(tmp_path, said)
    assert made.repos["triton-kernels"].version == "3.9.0" and not [*problems(made, FACTS)]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            {"triton_kernels": {"tag": "v3.5.1", "commit": OTHER}},
            "repos.vllm.external_projects.triton_kernels.tag: v3.5.1, and vllm 9.9 takes in v3.9.0 "
            "of https://example.org/triton.git: set tag to that and commit to the commit that it "
            "stands for, or take both out",
        ),
        (
            {"new_projekt": {"origin": "git"}},
            "repos.vllm.external_projects: vllm 9.9 takes in no 'new_projekt': one of new_project, "
            "triton_kernels (did you mean 'new_project'?)",
        ),
    ],
)
def test_what_does_not_fit_the_source_is_one_line(tmp_path, said, line):
    assert [*problems(config(tmp_path, said), FACTS)] == [line]
