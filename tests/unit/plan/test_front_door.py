"""The front door: targets that a configuration gives nothing to make from."""

import pytest
import yaml

from snakedev.base.errors import UserError
from snakedev.plan.front_door import load
from tests.project import PROJECT


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("wheels_rocm", "wheels_rocm: config.yaml has no variants.rocm: describe it there"),
        ("env_rocm", "env_rocm: config.yaml has no variants.rocm: describe it there"),
        (
            "edit_flashmla",
            "edit_flashmla: flashmla has no release: run it with `--config origin=git`",
        ),
        ("compat_report", "compat_report: config.yaml builds no vLLM: describe it in repos.vllm"),
    ],
)
def test_a_target_without_anything_behind_it_is_refused(target, said):
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    values["repos"]["vllm"]["enabled"] = target != "compat_report"
    with pytest.raises(UserError) as raised:
        load(values, [PROJECT / "config.yaml"], PROJECT, ["--cores", "2", target], head=False)
    assert str(raised.value) == said
