"""The status of each package, and how it is known."""

import pytest

from snakedev.config.read import check
from snakedev.environments.exclusions import Exclusion
from snakedev.reports.compat.built import built_here, repacked_here
from snakedev.reports.compat.rows import Row
from tests.unit.reports.compat_rows import CLOSURES, EXCLUSIONS, FILES, LOCKS, OURS, PURE, record


def rows(**options: object) -> dict[str, Row]:
    found = {}
    for row in record(**options).rows:
        found[row.name if row.name != "tvm" else f"tvm {row.version}"] = row
    return found


def test_a_locked_package_has_the_status_of_its_locked_version():
    row = rows()["aiohttp"]
    assert (row.status, row.version, row.variants) == ("free-threaded", "3.13.3", ("cpu", "cuda"))
    assert row.known == f"the index has aiohttp-3.13.3-{OURS}" and row.had and row.explained


def test_the_lock_decides_which_version_counts():
    locked = rows()["safetensors"]
    assert (locked.status, locked.version) == ("free-threaded", "0.9.0rc1")
    without = {**LOCKS, "cpu": {**LOCKS["cpu"], "safetensors": "0.8.0"}}
    other = rows(locks=without)["safetensors"]
    assert other.status == "elsewhere" and not other.had
    found = f"the index has a wheel of a pre-release only: safetensors-0.9.0rc1-{OURS}"
    assert other.known == found


def test_what_is_built_here_says_what_the_index_has_instead():
    row = rows()["harmony"]
    assert (row.status, row.version, row.had) == ("built", "0.0.8", True)
    assert row.known.startswith(
        "config.yaml: repos.harmony builds it; the index has wheels of abi3"
    )
    assert row.index.state == "gil"


def test_what_is_left_out_says_why_and_what_does_not_work():
    row = rows()["grpcio"]
    assert (row.status, row.had, row.via) == ("left out", False, ("vllm",))
    assert (row.reason, row.without) == ("it has no cp314t wheel", "tracing")
    assert row.known.startswith("envs/exclusions.yaml; the index has wheels of abi3 only")


def test_the_extra_of_what_is_left_out_is_told_where_vllm_asks_for_it():
    said = {"reason": "it has no wheel", "without": "tracing", "extra": "otel"}
    left_out = {**EXCLUSIONS.packages, "grpcio": Exclusion(**said), "child": Exclusion(**said)}
    image = Exclusion(reason="it needs opencv", without="images", extra="video")
    exclusions = EXCLUSIONS.__class__(left_out, {("mistral-common", "image"): image})
    found = rows(exclusions=exclusions)
    assert found["grpcio"].without == "tracing; vLLM's wheel here has it in the extra `otel`"
    assert found["child"].without == "tracing"
    assert found["mistral-common"].note.endswith(
        "what does not work then: images; vLLM's wheel here has it in the extra `video`; it is pure"
    )


def test_a_requirement_that_the_index_cannot_meet_has_a_row():
    row = rows()["cubin"]
    assert (row.status, row.version, row.index.listed) == ("left out", "0.6.14", False)
    assert row.known == "envs/exclusions.yaml; the index has no such project"


def test_what_only_a_package_that_is_left_out_asks_for():
    found = rows()
    why = "only what is left out asks for it"
    assert (found["child"].status, found["child"].reason) == ("left out", why)
    assert (found["proto"].status, found["proto"].reason) == ("left out", why)
    assert found["proto"].index.installable and not found["child"].index.installable
    assert all(row.explained for row in found.values())


def test_what_is_asked_for_through_others_that_are_left_out():
    more = {"between": ("1.0", "grpcio"), "both": ("1.0", "grpcio", "between")}
    found = rows(closures={"cpu": CLOSURES["cpu"] | more, "cuda": {}})
    assert found["both"].reason == "only what is left out asks for it"


def test_what_nothing_explains_is_marked_whether_or_not_it_can_be_had():
    more = {**CLOSURES["cpu"], "proto": ("1.0", "grpcio", "vllm"), "child": ("1.0", "vllm")}
    found = rows(closures={**CLOSURES, "cpu": more})
    assert [name for name, row in found.items() if not row.explained] == ["child", "proto"]
    assert found["child"].status == "gil" and found["proto"].had


def test_several_versions_have_a_row_each_and_count_as_one_package():
    found = rows()
    assert found["tvm 0.1.13"].variants == ("cpu",) and found["tvm 0.1.10"].variants == ("cuda",)
    packages = record().packages
    assert len(packages["tvm"]) == 2 and len(packages) == 9


def test_what_one_variant_leaves_out_has_a_row_of_its_own_there():
    of_no_use = {"aiohttp": Exclusion(reason="it turns the GIL on", without="nothing")}
    locks = {**LOCKS, "cpu": {n: v for n, v in LOCKS["cpu"].items() if n != "aiohttp"}}
    found = record(locks=locks, own_exclusions={"cpu": of_no_use}).packages["aiohttp"]
    assert {row.variants: row.status for row in found} == {
        ("cpu",): "left out",
        ("cuda",): "free-threaded",
    }
    assert all(row.explained for row in found)
    assert {row.reason for row in found} == {"it turns the GIL on", ""}


def test_an_extra_that_is_not_taken_is_noted():
    row = rows()["mistral-common"]
    assert row.status == "pure" and row.tracked
    taken = "taken without [image], as it needs opencv; what does not work then: images"
    assert row.note == f"{taken}; it is pure"


def test_tracked_packages_have_a_row_though_nothing_asks_for_them():
    found = rows()
    assert [row.title for row in found.values() if row.tracked] == [
        "mistral-common",
        "ray",
        "DeepGEMM",
        "pplx-kernels",
    ]
    assert (found["ray"].status, found["ray"].version) == ("left out", "2.50.0")
    assert found["ray"].reason == "it has no wheel" and found["ray"].variants == ()
    pplx = found["pplx-kernels"]
    assert (pplx.status, pplx.version, pplx.reason) == ("left out", None, "git only")
    assert pplx.known == "envs/tracked.yaml; the index has no such project"
    assert not {"ray", "deep-gemm", "pplx-kernels"} & record().packages.keys()


@pytest.mark.parametrize(
    ("parts", "status", "reason"),
    [
        ({"deepgemm": "it has no release"}, "left out", "it has no release"),
        ({"deepgemm": None}, "built", ""),
        ({}, "left out", "config.yaml has no such repo"),
    ],
)
def test_a_tracked_package_that_comes_with_vllm_is_here_where_the_build_takes_it_in(
    parts, status, reason
):
    row = rows(parts=parts)["deep-gemm"]
    assert (row.status, row.reason, row.title) == (status, reason, "DeepGEMM")
    assert "only deep_gemm-1.0.0.tar.gz" in row.known


def test_a_tracked_package_is_on_its_own_once_it_has_a_wheel():
    files = {**FILES, "ray": [f"2.60.0-{OURS}"], "pplx-kernels": [f"1.0-{PURE}"]}
    packages = {k: v for k, v in EXCLUSIONS.packages.items() if k != "ray"}
    exclusions = EXCLUSIONS.__class__(packages, EXCLUSIONS.extras)
    row = rows(files=files, exclusions=exclusions)["ray"]
    assert (row.status, row.version, row.had) == ("free-threaded", "2.60.0", True)


def test_a_wheel_that_is_repacked_counts_where_a_lock_has_it():
    left_out = {"cpu": {"tvm": Exclusion(reason="it turns the GIL on", without="nothing")}}
    locks = {"cpu": {k: v for k, v in LOCKS["cpu"].items() if k != "tvm"}, "cuda": LOCKS["cuda"]}
    note = "declared to need no GIL: tvm/_t.so"
    found = record(locks=locks, own_exclusions=left_out, repacked={"tvm": note})
    of_cpu, of_cuda = sorted(found.packages["tvm"], key=lambda row: row.variants)
    assert (of_cpu.status, of_cpu.reason) == ("left out", "it turns the GIL on")
    assert (of_cuda.status, of_cuda.version, of_cuda.note) == ("built", "0.1.10", note)
    assert of_cuda.known.startswith("config.yaml: repos.tvm patches it; the index has tvm-0.1.10-")


def test_repos_that_give_wheels_are_built_here_under_the_name_of_their_project():
    commit = {"url": "https://forge.test/x", "commit": "a" * 40}
    release = {"name": "open-thing", "version": "1.0", "sha256": "b" * 64}
    repos = {
        "thing": {"recipe": "maturin", "version": "1.0", "release": release},
        "by-git": {"recipe": "maturin", "version": "2.0", "git": commit, "origin": "git"},
        "off": {"recipe": "maturin", "version": "1.0", "enabled": False, "release": release},
        "part": {"recipe": "source", "version": "1.0", "git": commit},
        "finished": {
            "recipe": "repack",
            "version": "1.0",
            "origin": "release",
            "release": release | {"kind": "wheel", "name": "finished"},
            "declared": {"finished/_f.so": {"sha256": "c" * 64}},
        },
    }
    smoke = {"models": [], "prompts": [{"text": "Hello"}]}
    config = check({"variants": {"cpu": {}}, "repos": repos, "models": {}, "smoke": smoke})
    assert built_here(config) == {"open-thing": ("thing", "1.0"), "by-git": ("by-git", "2.0")}
    assert repacked_here(config) == {"finished": "declared to need no GIL: finished/_f.so"}
