"""The front door: targets that a configuration gives nothing to make from."""

import pytest
import yaml
from snakemake.cli import get_argument_parser

from snakedev.base.errors import UserError
from snakedev.config.model import Build
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
        *(
            (target, f"{target}: vLLM is not built: set repos.vllm.enabled: true")
            for target in ("smoke_report", "compat_report", "gil_report", "bench_report")
        ),
    ],
)
def test_a_target_without_anything_behind_it_is_refused(target, said):
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    values["repos"]["vllm"]["enabled"] = not target.endswith("_report")
    with pytest.raises(UserError) as raised:
        load(values, [PROJECT / "config.yaml"], PROJECT, {target})
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
        load(values, [PROJECT / "config.yaml"], PROJECT, {"export_REPO"})


@pytest.mark.parametrize("word", ["", "null", "~", "NULL"])
def test_null_on_the_command_line_is_null(word):
    """As Snakemake hands it over: `key=` is None there, and any other word is text."""
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    given = {
        "store": word,
        "work": word,
        "build": word,
        "interpreter": {"path": word, "sanitizer": word},
        "bench_report": {"model": word, "threads": word},
        "smoke": {"max_tokens": word},
    }
    for key, value in given.items():
        values[key] = values.get(key, {}) | value if isinstance(value, dict) else value
    plan, _ = load(values, [PROJECT / "config.yaml"], PROJECT, {"wheels_cpu"}, given=given)
    config = plan.config
    assert (config.store, config.work, config.build) == (None, (), Build())
    assert config.interpreter.path is config.bench_report.model is None
    assert config.smoke.max_tokens == 32
    # a job's process gets what the rules got
    assert values["store"] is values["interpreter"]["path"] is None


@pytest.mark.parametrize("word", [None, "", "null"])
def test_a_variant_without_settings_is_asked_about(word):
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    values["variants"]["cpu"] = word
    given = {} if word is None else {"variants": {"cpu": word}}
    with pytest.raises(UserError, match=r"variants\.cpu: nothing stands there: write {} for its "):
        load(values, [PROJECT / "config.yaml"], PROJECT, set(), given=given)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (None, "config.yaml: store_remote_write: true puts into a store that is not named: "),
        ("https://example.org/there", "config.yaml: store_remote_write: true cannot put into htt"),
    ],
)
def test_what_cannot_be_put_anywhere_is_refused(url, said, tmp_path, monkeypatch):
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    values |= {"store_remote": url, "store_remote_write": True}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as raised:
        load(values, [PROJECT / "config.yaml"], PROJECT, set())
    assert said in str(raised.value) and "\n" not in str(raised.value)
