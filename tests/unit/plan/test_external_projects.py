"""A project that a release of vLLM brings: left out by name, or built in, and never unnoticed."""

import shutil

import pytest

from snakedev.base.errors import UserError
from snakedev.config.source_facts import ExternalProject, SourceFacts, facts_file
from snakedev.plan.checks import require_inputs
from tests.project import PROJECT
from tests.unit.plan.default_plan import plan

COMMIT = "3" * 40


@pytest.fixture
def project(tmp_path):
    """The project, whose vLLM takes in one more."""
    for name in ("envs", "patches"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    file = facts_file(tmp_path / "envs", "vllm")
    facts = SourceFacts.read(file)
    new = ExternalProject(
        repository="https://example.org/New", commit=COMMIT, variable="NEW_SRC_DIR", folder="inside"
    )
    projects = {**facts.external_projects, "new_one": new}
    facts.model_copy(update={"external_projects": projects}).write(file)
    return tmp_path


def test_with_releases_it_is_left_out_by_its_name(project):
    made = plan(project=project)
    require_inputs(made, with_locks=True)
    wheel = made.wheels.wheel("vllm", "cuda")
    assert wheel.settings["VLLM_EXTERNAL_LEFT_OUT"].split(";")[-1] == "new_one"
    assert "NEW_SRC_DIR" not in wheel.settings
    assert wheel.without["new-one"] == "it has no release: `origin: git` builds it"
    assert made.wheels.vllm_parts()["new-one"] == wheel.without["new-one"]
    assert wheel.key != plan().wheels.wheel("vllm", "cuda").key
    for variant in ("cpu", "any"):
        repo = "vllm" if variant == "cpu" else "safetensors"
        same = plan().wheels.wheel(repo, variant)
        assert made.wheels.wheel(repo, variant).key == same.key


def test_with_git_it_is_built_in_at_the_commit_that_vllm_names(project):
    made = plan(project=project, origin="git")
    require_inputs(made, with_locks=True)
    wheel = made.wheels.wheel("vllm", "cuda")
    assert wheel.settings["VLLM_EXTERNAL_LEFT_OUT"] == ""
    assert wheel.settings["NEW_SRC_DIR"] == "${SNAKEDEV_SOURCE_NEW_ONE}/inside"
    pin = made.sources.source("new-one").pin
    assert (pin.url, pin.commit) == ("https://example.org/New", COMMIT)
    assert "new-one" in wheel.needs


def test_what_a_build_cannot_do_without_and_is_not_told_of_is_one_line(project):
    file = facts_file(project / "envs", "vllm")
    facts = SourceFacts.read(file)
    facts.model_copy(update={"tags": facts.tags | {"fmt": "v12"}}).write(file)
    with pytest.raises(UserError) as caught:
        require_inputs(plan(project=project), with_locks=True)
    assert str(caught.value) == (
        f"envs/vllm.source.json: tags: vllm {facts.version} takes in fmt (v12), whose folder its "
        "build is not told of: describe it under repos, name it in repos.vllm.build_needs, and "
        "hand it over where the recipe does with others (onednn, cutlass)"
    )


def test_a_part_has_the_commit_that_stands_in_the_facts(project):
    facts = SourceFacts.read(facts_file(project / "envs", "vllm"))
    made = plan(project=project, origin="git")
    pins = {name: made.config.repos[name].git for name in ("flashmla", "qutlass", "deepgemm")}
    assert {name: pin.commit for name, pin in pins.items()} == {
        name: facts.external_projects[name].commit for name in pins
    }
    # vLLM names a tag of it
    assert facts.external_projects["triton_kernels"].commit == "v3.5.1"
    assert made.config.repos["triton-kernels"].git.commit.startswith("bfeb06687")


def test_borrowed_kernels_must_have_the_libraries_that_vllm_compiles_itself():
    made = plan(variants__cuda__kernels="upstream")
    assert made.wheels.own_kernels("cuda") == ("_C_stable_libtorch", "_moe_C_stable_libtorch")
    assert plan().wheels.own_kernels("cuda") == ()
