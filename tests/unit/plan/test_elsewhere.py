"""Plans for jobs on other machines: what is refused, what runs there, and what jobs are handed."""

import os
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from snakedev.base.errors import UserError
from snakedev.config.model import Config
from snakedev.config.read import check
from snakedev.plan.answers import VARIABLE, Answers, Handed, Kept
from snakedev.plan.elsewhere import refuse_native
from snakedev.store.layout import Layout
from tests.project import PROJECT
from tests.unit.plan.default_plan import plan


def config(**sections: object) -> Config:
    values = yaml.safe_load((PROJECT / "config.yaml").read_text(encoding="utf-8"))
    for name, changes in sections.items():
        values[name] |= changes
    return check(values)


def refused(given: Config) -> list[str]:
    try:
        refuse_native(given)
    except UserError as error:
        return str(error).splitlines()
    return []


def test_native_is_refused_with_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    native = {"cpu": {"isa": "native"}, "cuda": {"architectures": "native"}}
    assert refused(config(variants=native)) == [
        "config.yaml: variants.cpu.isa: native is this machine's best, and jobs run on others: "
        "write all, or those of their CPUs, as [avx512]",
        "config.yaml: variants.cuda.architectures: native is this machine's GPUs, and jobs run on "
        'others: name theirs in smoke.gpus, as ["9.0"], or architectures here',
    ]
    named = native | {"cpu": {"isa": ["avx512"]}}
    assert refused(config(variants=named, smoke={"gpus": ["9.0"]})) == []
    assert len(refused(config(variants=named, smoke={"gpus": ["gfx942"]}))) == 1
    monkeypatch.setenv("CFLAGS", "-O3 -march=native")
    assert refused(config(variants={"cpu": {"isa": "all"}})) == [
        "CFLAGS: '-O3 -march=native' is for this machine's CPU, and jobs run on others: name "
        "another, as -march=x86-64-v3"
    ]


def test_native_means_the_gpus_that_are_named() -> None:
    made = plan(variants__cuda__architectures="native", smoke__gpus=["9.0", "8.9"])
    assert made.buildable.built_for("cuda") == ("8.9", "9.0a")


def test_a_variant_is_smoked_where_jobs_find_its_gpu() -> None:
    def smoked(**more: object) -> list[str]:
        return [spec.variant for spec in plan(**more).reports.smokes()]

    assert smoked(elsewhere=True, smoke__gpus=["9.0"]) == ["cpu", "cuda"]
    skipped = plan(elsewhere=True).buildable.skipped
    assert skipped["cuda"].startswith("smoke.gpus names no NVIDIA GPU of the machines that jobs")
    skipped = plan(elsewhere=True, smoke__gpus=["8.9"]).buildable.skipped
    assert skipped["cuda"].startswith("it is built for 9.0a, and ")
    # a run on this machine has no such GPU, and keeps what ran elsewhere from being pruned
    here = plan(smoke__gpus=["9.0"])
    assert [spec.variant for spec in here.reports.smokes()] == ["cpu"]
    folder = here.layout.folder(here.reports.smoke("cuda", "smollm2-135m"))
    assert folder in set(here.reached()) and folder not in set(plan().reached())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("H100", 'write "9.0" for H100'),
        ("9.0a", 'write "9.0" for 9.0a'),
        ("MI300X", 'write "gfx942" for MI300X'),
        ("fast", "not a GPU's compute capability"),
    ],
)
def test_another_spelling_of_a_gpu_is_told_the_right_one(given: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        config(smoke={"gpus": [given]})
    assert said in str(raised.value) and "smoke.gpus" in str(raised.value)
    assert config(smoke={"gpus": [9.0]}).smoke.gpus == ("9.0",)


def test_what_jobs_ask_for_goes_by_what_is_compiled() -> None:
    requests = plan().requests
    vllm = requests.wheel("vllm", "cpu")
    assert (vllm.threads, vllm.memory(vllm.threads)) == (16, 42000)
    assert requests.wheel("vllm", "cuda").memory(2) == 18000
    borrowing = plan(variants__cuda__kernels="upstream").requests.wheel("vllm", "cuda")
    assert borrowing.threads == 4
    assert requests.wheel("safetensors", "any").threads == 4
    assert requests.smoke("cuda").gpu == 1 and requests.smoke("cpu").gpu == 0


class Layer:
    """A layer of a plan."""

    name = "greeter"
    seen = MappingProxyType({"cuda": "no GPU"})

    def wheel(self, repo: str, variant: str) -> list[Path]:
        if repo != "greeter":
            raise UserError(f"there is no repo '{repo}'")
        return [Path(repo, variant)]


def test_a_job_is_answered_as_the_head_was(tmp_path: Path) -> None:
    handed = Handed({"origin": "git"}, config(), Layout())
    head = Answers(Layer(), "wheels", handed.answers)
    asked = (head.wheel("greeter", "any"), head.name, head.seen)
    file = tmp_path / "plans" / "1.pickle"
    handed.write(file)
    read = Handed.read({VARIABLE: str(file)})
    job = Kept("wheels", read.answers)
    assert (job.wheel("greeter", "any"), job.name, job.seen) == asked
    assert read.config == handed.config and read.checked == handed.checked
    # what runs of long ago have left goes with the next one
    os.utime(file, (0, 0))
    handed.write(file.with_name("2.pickle"))
    assert not file.exists()


def test_a_job_without_its_plan_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^{VARIABLE} is not set in this job's process: have the "):
        Handed.read({})
    with pytest.raises(UserError, match="the plan of this job's run is gone, or its folder is not"):
        Handed.read({VARIABLE: str(tmp_path / "1.pickle")})
