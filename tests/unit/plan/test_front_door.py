"""The front door: targets that a configuration gives nothing to make from."""

import pytest
import yaml
from snakemake.cli import get_argument_parser

from snakedev.base.errors import UserError
from snakedev.plan.front_door import load, refuse_misspelt, targets
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
        load(values, [PROJECT / "config.yaml"], PROJECT, {target}, head=False)
    assert str(raised.value) == said


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("-n --config store=/x/mylocks -- smoke_report", {"smoke_report"}),
        ("--directory locks --cores 2", set()),
        ("edit_vllm --forcerun a b --cores 1", {"edit_vllm"}),
        ("--mode remote --target-jobs edit_vllm: wheel:variant=cpu", {"edit_vllm", "wheel"}),
    ],
)
def test_targets_are_told_from_the_values_of_options(words, asked):
    arguments, _ = get_argument_parser().parse_known_args(words.split())
    assert targets(arguments) == asked


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("smoke_reprot", "smoke_reprot: no such target: did you mean smoke_report?"),
        ("edit_vlm", "edit_vlm: no such target: did you mean edit_vllm?"),
        ("xyz", "xyz: no such target: see `snakemake --list-target-rules`"),
    ],
)
def test_a_misspelt_target_names_the_nearest(target, said):
    with pytest.raises(UserError) as raised:
        refuse_misspelt(["smoke_report", target], ["smoke_report", "edit_vllm", "wheels_cpu"])
    assert str(raised.value) == said


def test_files_are_targets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.txt").touch()
    refuse_misspelt(["results/reports/smoke.html", "made.txt"], ["smoke_report"])


def test_a_repo_is_put_in_place_of_repo():
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    with pytest.raises(UserError, match=r"^export_REPO: put a repo in place of REPO: .*vllm"):
        load(values, [PROJECT / "config.yaml"], PROJECT, {"export_REPO"}, head=False)
