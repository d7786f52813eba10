"""What keys of config.yaml ask of each other: each misfit gets one line that says what is right."""

import copy

import pytest

from snakedev.base.errors import UserError
from snakedev.config.external import with_external_projects
from snakedev.config.model import Config
from snakedev.config.read import check
from snakedev.plan import checks
from snakedev.recipes.registry import RECIPES
from tests.project import PROJECT
from tests.unit.default_config import CPU_WHEEL, DEFAULT, VERSION, changed


def checked(values: dict) -> Config:
    config = with_external_projects(check(values), PROJECT / "envs")
    checks.refuse(config)
    return config


def complaint(path: str, value: object) -> str:
    with pytest.raises(UserError) as caught:
        checked(changed(path, value))
    return str(caught.value)


@pytest.mark.parametrize("origin", ["release", "git"])
def test_the_default_configuration_fits_together(origin):
    checked(changed("origin", origin))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("work", "vlm", "work: there is no repo 'vlm': one of cutlass, deepgemm, "),
        ("work", ["tokenizers"], "work: 'tokenizers' is not built: set repos.tokenizers.enabled"),
        (
            "repos/vllm/recipe",
            "vlm",
            f"repos.vllm.recipe: there is no recipe 'vlm': one of {', '.join(sorted(RECIPES))} "
            "(did you mean 'vllm'?)",
        ),
        (
            "repos/safetensors/kernels",
            {"cpu": {"name": "safetensors", "version": "0.8.0", "sha256": "0" * 64}},
            "repos.safetensors.kernels: recipe maturin has no kernels that a finished wheel could "
            "give: take it out",
        ),
        ("repos/vllm/build_needs", ["onedn"], "repos.vllm.build_needs: there is no repo 'onedn'"),
        (
            "smoke/variants",
            ["rocm"],
            "smoke.variants: 'rocm' is not under variants: one of cpu, cuda",
        ),
        ("smoke/models", ["smol"], "smoke.models: there is no model 'smol': one of smollm2-135m"),
        (
            "interpreter",
            {"sanitizer": "thread", "provider": "uv"},
            "interpreter.provider: 'uv' has no interpreter with ThreadSanitizer, which "
            "interpreter.sanitizer asks for: set it to source (or auto), or",
        ),
        (
            "interpreter",
            {"sanitizer": "thread"},
            "interpreter.git: provider source builds CPython from its git repository: give "
            "interpreter.git.url, and as interpreter.git.ref a release's tag, such as v3.14.0, or",
        ),
        (
            "interpreter",
            {"version": "3.13", "provider": "source"},
            "interpreter.git: provider source builds CPython from its git repository: give "
            "interpreter.git.url, and as interpreter.git.ref a release's tag, such as v3.13.0, or",
        ),
        (
            "interpreter",
            {
                "provider": "source",
                "path": "/usr/bin/python3.14t",
                "git": {"url": "https://example.org/cpython.git", "ref": "v3.14.9"},
            },
            "interpreter.path: /usr/bin/python3.14t goes with provider system, and this one is "
            "built from source: set it to null",
        ),
        (
            "patch_report",
            {"refs": {"vlm": ["main"]}},
            "patch_report.refs.vlm: there is no repo 'vlm': one of cutlass, deepgemm, ",
        ),
        (
            "patch_report",
            {"refs": {"tokenizers": ["main"]}},
            "patch_report.refs.tokenizers: the repo has no git pin to look refs up with: give "
            "repos.tokenizers.git.url and repos.tokenizers.git.commit",
        ),
        (
            "patch_report",
            {"refs": {"flashmla": ["main"]}},
            "patch_report.refs.flashmla: the repo has no release to build from: set its origin to "
            "git",
        ),
        (
            "bench_report",
            {"variants": ["rocm"]},
            "bench_report.variants: 'rocm' is not under variants: one of cpu, cuda",
        ),
        (
            "bench_report",
            {"model": "smolm2-135m"},
            "bench_report.model: there is no model 'smolm2-135m': one of smollm2-135m (did you "
            "mean 'smollm2-135m'?)",
        ),
    ],
)
def test_a_misfit_is_named(path, value, said):
    message = complaint(path, value)
    assert message.startswith("config.yaml: ")
    assert said in message


def test_every_misfit_is_said_at_once_under_the_files_name():
    config = changed("smoke/models", ["smol"])
    config["work"] = ["vlm"]
    with pytest.raises(UserError) as caught:
        checks.refuse(check(config), "config.yaml + mine.yaml")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["smoke.models", "work"]
    assert all(line.startswith("config.yaml + mine.yaml: ") for line in lines)


def upstream(**changes: object) -> dict:
    """The default configuration with vLLM's own kernels, and keys of vllm changed."""
    config = changed("variants/cuda/kernels", "upstream")
    config["repos"]["vllm"] |= changes
    return config


def with_cpu_wheel(settings: dict) -> dict:
    """The default configuration with settings for CPUs, and a wheel to take their kernels from."""
    config = changed("variants/cpu", settings)
    config["repos"]["vllm"]["kernels"]["cpu"] = CPU_WHEEL
    return config


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            upstream(kernels={}),
            f"config.yaml: variants.cuda.kernels: upstream takes the kernels from a wheel of "
            f"{VERSION}, and none is named: where an index has one, give name, version and sha256 "
            f"under repos.vllm.kernels.cuda; or set variants.cuda.kernels: source",
        ),
        (
            upstream(version="0.27.0"),
            f"config.yaml: repos.vllm.kernels.cuda.version: {VERSION} is not repos.vllm.version "
            "(0.27.0), and kernels fit their own version only: name the wheel of 0.27.0, or set",
        ),
        (
            upstream(
                origin="git",
                git={"url": "https://example.org/x", "commit": "0" * 40},
                release={"name": "vllm", "sha256": "0" * 64, "commit": "1" * 40},
            ),
            f"config.yaml: repos.vllm.git.commit: {'0' * 40} is not the commit of release "
            f"{VERSION} ({'1' * 40})",
        ),
        (
            with_cpu_wheel({"kernels": "upstream", "onednn": False}),
            "config.yaml: variants.cpu.onednn: false has no effect on variants.cpu.kernels: "
            "upstream, whose kernels have oneDNN in them: set it to true, or set variants.cpu",
        ),
        (
            with_cpu_wheel({"kernels": "upstream"}) | {"work": ["onednn"]},
            "config.yaml: work: 'onednn' is in the kernels that variants.cpu.kernels: upstream",
        ),
        (
            upstream() | {"work": ["vllm", "cutlass"]},
            "config.yaml: work: 'cutlass' is in the kernels that variants.cuda.kernels: upstream "
            "takes as they are: set variants.cuda.kernels: source, or take it off the list",
        ),
    ],
)
def test_what_stands_against_kernels_of_upstream_is_one_line(config: dict, said: str):
    with pytest.raises(UserError) as caught:
        checked(config)
    assert str(caught.value).startswith(said) and "\n" not in str(caught.value)


def test_a_commit_that_a_release_would_ignore_is_refused():
    message = complaint("repos/safetensors/git/commit", "a" * 40)
    assert "repos.safetensors.git.commit: " + "a" * 40 in message
    assert "set repos.safetensors.origin: git" in message
    assert len(message.splitlines()) == 1
    config = changed("repos/safetensors/git/commit", "a" * 40)
    config["repos"]["safetensors"]["origin"] = "git"
    assert checked(config).pin_of("safetensors").commit == "a" * 40


def test_a_repo_without_a_pin_of_the_chosen_origin_is_refused():
    config = changed("repos/vllm/origin", "git")
    config["repos"]["vllm"].pop("git", None)
    with pytest.raises(UserError, match=r"repos\.vllm\.git: origin is git and there is no git pin"):
        checked(config)
    with pytest.raises(UserError, match=r"repos\.vllm\.release: origin is release"):
        checked(changed("repos/vllm/release", ...))


def test_a_repo_that_needs_itself_is_refused():
    message = complaint("repos/onednn/build_needs", ["vllm"])
    assert "repos.vllm.build_needs: a circle: " in message


def test_rocm_needs_an_index_for_its_torch():
    values = copy.deepcopy(DEFAULT)
    values["variants"]["rocm"] = {"architectures": ["gfx942"]}
    with pytest.raises(UserError, match="the package index has no torch for ROCm"):
        checked(values)
    values["registries"]["torch_rocm"] = "https://example.org/rocm"
    checked(values)


def test_a_source_distribution_has_the_repos_version():
    message = complaint("repos/safetensors/release/version", "0.9.0")
    assert message == (
        "config.yaml: repos.safetensors.version: 0.8.0 is not repos.safetensors.release.version "
        "(0.9.0), and its wheel would have another version than its source: set both to the same, "
        "or take release.version out"
    )
    for version in ("0.8", "0.8.0+local"):
        checked(changed("repos/safetensors/release/version", version))
    moved = checked(changed("repos/safetensors/version", "0.9.0"))
    assert moved.pin_of("safetensors").version == "0.9.0"
    elsewhere = changed("repos/safetensors/release/version", "0.9.0")
    elsewhere["repos"]["safetensors"]["origin"] = "git"
    checked(elsewhere)


def test_a_release_of_another_kind_has_a_version_of_its_own():
    checked(changed("repos/onednn/version", "3.7"))
    message = complaint("repos/onednn/release/version", ...)
    assert "repos.onednn.release" in message and "'kind: debian' needs a 'version'" in message
    assert len(message.splitlines()) == 1
