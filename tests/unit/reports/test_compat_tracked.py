"""The list of tracked packages, and what the project's own lists say."""

import pytest

from snakedev.base.errors import UserError
from snakedev.config.external import with_external_projects
from snakedev.config.read import check
from snakedev.environments.exclusions import read_exclusions
from snakedev.reports.compat.tracked import read_tracked
from tests.project import PROJECT
from tests.unit.default_config import DEFAULT


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (None, "is missing"),
        ("", "the file: Input should be a valid tuple"),
        ("[]", "the file: Tuple should have at least 1 item"),
        ("- {name: Ray, project: ray}", "0.without: Field required"),
        ("- {name: Ray, project: Ray, without: all}", "0.project: the index calls it 'ray'"),
        ("- {name: Ray, project: ray, without: all, why: x}", "0.why: Extra inputs"),
        ("- [", "not YAML"),
        ("- name: Ray\n  name: ray", "tracked.yaml:2: the key 'name' stands here and in line 1"),
    ],
)
def test_a_bad_entry_is_one_line(tmp_path, text, what):
    if text is not None:
        (tmp_path / "tracked.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_tracked(tmp_path)
    assert what in str(caught.value) and str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_tracked_package_is_in_the_projects_list():
    tracked = read_tracked(PROJECT / "envs")
    assert {one.name for one in tracked} >= {
        "ray",
        "triton",
        "mistral-common",
        "numba",
        "opencv-python-headless",
        "DeepGEMM",
        "DeepEP",
        "pplx-kernels",
    }
    config = with_external_projects(check(DEFAULT), PROJECT / "envs")
    assert {one.repo for one in tracked if one.repo} <= config.repos.keys()


def test_the_projects_own_exclusions_can_be_read():
    exclusions = read_exclusions(PROJECT / "envs")
    assert {"ray", "opencv-python-headless"} <= exclusions.packages.keys()
