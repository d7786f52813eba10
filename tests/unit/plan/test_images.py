"""Which images a plan has, and what stands against one."""

from pathlib import Path

import pytest
import yaml

from snakedev.base.errors import UserError
from snakedev.plan.front_door import load
from tests.project import PROJECT
from tests.unit.plan.default_plan import MACHINE, plan


def test_an_image_follows_its_environment_and_its_base():
    images = plan().images
    spec = images.image("cpu")
    assert spec.environment_key == images.wheels.run_environment("cpu").key
    assert spec.name.startswith("localhost/snakedev-vllm:") and spec.name.endswith("-cpu")
    assert spec.variables["PYTHON_GIL"] == "0" and "libc6" in {deb.name for deb in spec.base}
    assert images.image("cuda").variables["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert plan().layout.folder(spec) in set(plan().reached())


def test_a_base_that_is_older_than_this_machine_is_refused():
    images = plan(MACHINE.model_copy(update={"libc": "glibc-2.99"})).images
    with pytest.raises(UserError, match=r"image\.suite: trixie has glibc .*this machine's 2\.99"):
        images.image("cpu")
    assert not [*images.planned()]


@pytest.mark.parametrize(
    "key, value, line",
    [
        ("repos__vllm__enabled", False, "set repos.vllm.enabled: true"),
        ("image__suite", "forky", "does not fit image.suite: run `snakemake image_lock`"),
        ("image__packages", ["libc6", "bash"], "does not fit image.packages: run"),
    ],
)
def test_what_stands_against_an_image_is_one_line(key, value, line):
    with pytest.raises(UserError) as error:
        plan(**{key: value}).images.image("cpu")
    assert line in str(error.value) and len(str(error.value).splitlines()) == 1


def test_the_image_of_the_workflow_has_what_builds_need():
    images = plan().images
    spec = images.workflow()
    assert {"g++", "git", "make", "python3-venv"} <= {deb.name for deb in spec.base}
    assert spec.name.startswith("localhost/snakedev-vllm-workflow:")
    assert spec not in [*images.planned()]  # unless one was made


def test_another_base_of_the_workflow_is_to_be_pinned():
    changed = plan(image__workflow_packages=["g++"]).images
    with pytest.raises(UserError, match=r"does not fit image\.workflow_packages: run `snakemake"):
        changed.workflow()
    assert changed.image("cpu").key == plan().images.image("cpu").key


def test_an_image_of_a_variant_that_is_not_configured_is_told():
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    with pytest.raises(UserError, match=r"image_rocm: config\.yaml has no variants\.rocm"):
        load(values, [Path("config.yaml")], PROJECT, {"image_rocm"}, elsewhere=False)
