"""Locks: what they are compiled from, when they no longer fit, and compiling them for real."""

import hashlib
import sys
from pathlib import Path

import pytest

from snakedev.base.errors import UserError
from snakedev.environments import locks
from snakedev.environments.lock_compiler import compile_locks
from snakedev.recipes.registry import RECIPES
from tests.project import PROJECT
from tests.unit.package_index import make_wheel, publish, served

EXCLUSIONS = "left-out: {reason: it has no wheel, without: nothing}\n"
WHY = "{reason: no wheel, without: nothing}"


@pytest.fixture
def folder(tmp_path):
    """A folder of `.in` files: run-cpu with torch, and what only its CUDA build needs."""
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "run-cpu.in").write_text("# torch\ntorch==2.11.0\n")
    (folder / "exclusions.yaml").write_text(EXCLUSIONS)
    return folder


def compile_here(folder, running, torch_index=None, **options):
    facts = options.pop("facts", ())
    wanted = options.pop("wanted", {"run-cpu": torch_index})
    return compile_locks(folder, wanted, Path(sys.executable), facts, running, **options)


def test_compiling_twice_changes_no_byte(folder, index, running):
    assert compile_here(folder, running)
    first = (folder / "run-cpu.lock").read_bytes()
    assert not compile_here(folder, running)
    assert (folder / "run-cpu.lock").read_bytes() == first
    locks.check_lock(folder, "run-cpu")


def test_a_lock_holds_pins_with_hashes_and_no_address(folder, index, running):
    compile_here(folder, running)
    text = (folder / "run-cpu.lock").read_text()
    assert "torch==2.11.0 \\\n    --hash=sha256:" in text
    assert "http" not in text and "127.0.0.1" not in text
    assert {
        name: str(pin.version) for name, pin in locks.lock_pins(folder / "run-cpu.lock").items()
    } == {
        "needed": "1.0",
        "torch": "2.11.0",
    }


def test_pins_are_kept_until_an_upgrade_is_asked_for(folder, index, running, tmp_path, monkeypatch):
    compile_here(folder, running)
    publish(index, make_wheel(tmp_path / "wheels", "needed", "1.1"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another-cache"))
    assert not compile_here(folder, running)
    assert compile_here(folder, running, upgrade=True)
    assert str(locks.lock_pins(folder / "run-cpu.lock")["needed"].version) == "1.1"


def test_torch_comes_from_its_own_index(folder, index, running, tmp_path):
    """The index for torch has only torch; everything else still comes from the usual one."""
    (folder / "run-cpu.cuda.in").write_text("cuda-compiler\n")
    publish(index, make_wheel(tmp_path / "wheels", "cuda-compiler", "13.0"))
    compile_here(folder, running)
    assert "cuda-compiler" in locks.lock_pins(folder / "run-cpu.lock")
    torch = tmp_path / "torch-index"
    publish(torch, make_wheel(tmp_path / "wheels", "torch", "2.11.0+cpu", ["needed>=1"]))
    with served(torch) as url:
        compile_here(folder, running, url)
        pins = locks.lock_pins(folder / "run-cpu.lock")
        locks.check_lock(folder, "run-cpu", url)
        with pytest.raises(
            UserError, match=r"run-cpu\.lock does not fit .*: run `snakemake locks`"
        ):
            locks.check_lock(folder, "run-cpu")
    assert {name: str(pin.version) for name, pin in pins.items()} == {
        "needed": "1.0",
        "torch": "2.11.0+cpu",
    }
    assert url not in running.log_path.read_text()


def test_what_does_not_fit_is_said_by_uv(folder, index, running):
    (folder / "run-cpu.in").write_text("torch==9\n")
    with pytest.raises(UserError) as caught:
        compile_here(folder, running)
    said = str(caught.value).splitlines()
    assert said[0].startswith(f"{folder}/run-cpu.in:1 'torch==9': run-cpu.lock has no solution: ")
    assert "there is no version of torch==9" in said[0]
    assert said[1:] == [f"no lock in {folder} was changed"]
    assert not (folder / "run-cpu.lock").exists()


def test_an_index_that_does_not_answer_is_one_line(folder, running, monkeypatch, tmp_path):
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="a package index did not answer") as caught:
        compile_here(folder, running)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "stands"),
    [
        ("run-cpu.in", "# another comment\ntorch==2.11.0  # the same\n", True),
        ("exclusions.yaml", "left-out: {reason: another, without: all}\n", True),
        ("run-cpu.in", "torch==2.11.0\nmore\n", False),
        ("exclusions.yaml", "{}\n", False),
        ("exclusions.yaml", f"{EXCLUSIONS}needed: {WHY}\n", False),
        ("exclusions.yaml", f"{EXCLUSIONS}lock run-cpu:\n  needed: {WHY}\n", False),
        ("exclusions.yaml", f"{EXCLUSIONS}lock run-cuda:\n  needed: {WHY}\n", True),
        # nothing in the lock asks for it
        ("exclusions.yaml", f"{EXCLUSIONS}ray: {WHY}\n", True),
    ],
)
def test_a_lock_stands_until_its_inputs_say_something_else(
    folder, index, running, file, text, stands
):
    compile_here(folder, running)
    (folder / file).write_text(text)
    if stands:
        locks.check_lock(folder, "run-cpu")
    else:
        with pytest.raises(UserError, match="run `snakemake locks`"):
            locks.check_lock(folder, "run-cpu")


def test_a_lock_that_is_missing_is_not_called_stale(folder):
    with pytest.raises(UserError, match=r"run-cpu\.lock is missing: run `snakemake locks`$"):
        locks.check_lock(folder, "run-cpu")


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("build-opencv", "what builds of recipe opencv need"),
        ("build-cuda", "what builds of recipe vllm for cuda need"),
        ("build-any", "what builds of recipes setuptools, scikit-build-core, maturin, repack need"),
        ("run-cuda", "what running vLLM on cuda needs"),
        ("docs", "the programs that people run"),
    ],
)
def test_what_a_missing_list_should_hold_is_said(folder, name, needed):
    with pytest.raises(UserError) as caught:
        locks.check_lock(folder, name)
    assert str(caught.value) == (
        f"{folder}/{name}.in is missing: list in it {needed}, then run `snakemake locks`"
    )


def test_all_lists_that_are_missing_are_said_before_the_first_lock_is_compiled(folder):
    three = [locks.LOCKS[name] for name in ("run-cpu", "docs", "build-opencv")]
    with pytest.raises(UserError) as caught:
        locks.require_lists(folder, three)
    said = [line.split(" is missing")[0] for line in str(caught.value).splitlines()]
    assert said == [f"{folder}/docs.in", f"{folder}/build-opencv.in"]
    (folder / "docs.in").touch()
    (folder / "build-opencv.in").touch()
    locks.require_lists(folder, three)


def test_what_one_lock_leaves_out_another_may_hold(folder, index, running):
    (folder / "exclusions.yaml").write_text(f"{EXCLUSIONS}lock run-cpu:\n  needed: {WHY}\n")
    compile_here(folder, running)
    assert set(locks.lock_pins(folder / "run-cpu.lock")) == {"torch"}


def test_a_lock_of_tools_is_of_wheels_and_leaves_out_its_own(folder, index, running, tmp_path):
    (folder / "tools.in").write_text("torch==2.11.0\n")
    own = f"lock tools:\n  needed: {WHY}\n  left-out: {WHY}\n"
    (folder / "exclusions.yaml").write_text(f"torch: {WHY}\n{own}")
    compile_here(folder, running, wanted={"tools": None})
    # what all locks leave out is what vLLM asks for
    assert set(locks.lock_pins(folder / "tools.lock")) == {"torch"}
    source = tmp_path / "only_source-1.0.tar.gz"
    source.touch()
    publish(index, source)
    (folder / "tools.in").write_text("only-source\n")
    with pytest.raises(UserError, match=r"only-source==1\.0 has no usable wheels"):
        compile_here(folder, running, wanted={"tools": None})


def test_included_files_are_part_of_the_inputs(folder):
    (folder / "run-cpu.in").write_text("-r more.in\n")
    (folder / "more.in").write_text("one\n")
    before = locks.inputs_digest(folder, "run-cpu", None)
    (folder / "more.in").write_text("two\n")
    assert locks.inputs_digest(folder, "run-cpu", None) != before


def test_the_lock_digest_leaves_comments_out(tmp_path):
    one, two = tmp_path / "one.lock", tmp_path / "two.lock"
    one.write_text("# inputs: a\na==1 \\\n    --hash=sha256:00\n")
    two.write_text("# inputs: b\n\na==1 \\\n    --hash=sha256:00\n")
    assert locks.lock_digest(one) == locks.lock_digest(two)
    two.write_text("a==1 \\\n    --hash=sha256:01\n")
    assert locks.lock_digest(one) != locks.lock_digest(two)


def test_each_lock_says_what_it_is_for():
    said = {lock.name: (lock.purpose, lock.variant) for lock in locks.of_variants(["rocm"])}
    shapes = {recipe.environment for recipe in RECIPES.values() if recipe.environment}
    assert {"build-any", "build-opencv", "build-{variant}"} <= shapes
    assert said == {
        "tools": ("tool", None),
        "cluster": ("tool", None),
        "docs": ("tool", None),
        **{shape: ("build", None) for shape in shapes if "{" not in shape},
        **{
            f"{purpose}-{variant}": (purpose, variant)
            for purpose in ("build", "run")
            for variant in ("cpu", "cuda", "rocm")
        },
    }
    assert "run-rocm" not in {lock.name for lock in locks.of_variants(["cpu"])}


@pytest.mark.parametrize("name", [lock.name for lock in locks.of_variants((), tests=True)])
def test_the_locks_of_the_project_fit(name):
    locks.check_lock(PROJECT / "envs", name)
    assert locks.lock_pins(PROJECT / "envs" / f"{name}.lock") or name == "tools"
    assert "://" not in (PROJECT / "envs" / f"{name}.lock").read_text()


def test_a_package_with_and_without_extras_is_one_pin(tmp_path):
    lock = tmp_path / "one.lock"
    hashes = " \\\n    --hash=sha256:00\n"
    lock.write_text(f"a[x, y_z]==1.0{hashes}a==1.0{hashes}")
    assert locks.lock_pins(lock)["a"].extras == {"x", "y-z"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tiny @ https://me:hunter2@example.org/tiny-1.0.tar.gz", "'tiny' is to come from an addr"),
        ("tiny @ git+https://example.org/tiny@main", "'tiny' is to come from an address"),
        ("https://me:hunter2@example.org/tiny-1.0.tar.gz", "'…' is no requirement"),
        ("./tiny", "'./tiny' is no requirement"),
        ("/some/where/tiny-1.0-py3-none-any.whl", "is no requirement"),
        ("-e ./tiny", "-e: only requirements, -r and -c stand in it"),
        ("--editable=./tiny", "--editable: only requirements, -r and -c stand in it"),
        ("--pre", "--pre: only requirements, -r and -c stand in it"),
        ("--no-binary :all:", "--no-binary: only requirements, -r and -c stand in it"),
        ("--find-links https://me:hunter2@example.org/", "--find-links: indexes are set where"),
        ("--extra-index-url=https://me:hunter2@example.org/", "--extra-index-url: indexes are"),
        ("-i https://me:hunter2@example.org/", "-i: indexes are set where uv and pip are told"),
        ("torch=2.11", "'torch=2.11' is no requirement"),
    ],
)
@pytest.mark.parametrize("included", ["", "-c more.txt", "-r more.txt"])
def test_a_line_that_no_lock_can_answer_is_refused_before_it_is_written(
    folder, running, line, said, included
):
    file = folder / ("more.txt" if included else "run-cpu.in")
    if included:
        (folder / "run-cpu.in").write_text(f"{included}\n")
    file.write_text(f"torch\n{line}\n")
    for refused in (
        lambda: compile_here(folder, running),
        lambda: locks.check_lock(folder, "run-cpu"),
    ):
        with pytest.raises(UserError) as caught:
            refused()
        text = str(caught.value)
        assert text.startswith(f"{file}:2: ") and said in text
        assert "\n" not in text and "hunter2" not in text
    assert not (folder / "run-cpu.lock").exists()


def test_lines_that_uv_takes_of_an_index_are_taken(folder, index, running):
    (folder / "more.txt").write_text("needed<2 ; python_version >= '3'  # a comment\n")
    digest = hashlib.sha256(next(index.glob("torch/*.whl")).read_bytes()).hexdigest()
    text = f"-c more.txt\nTorch[extra] == 2.11.* \\\n    --hash=sha256:{digest}\n"
    (folder / "run-cpu.in").write_text(text)
    compile_here(folder, running)
    assert locks.lock_pins(folder / "run-cpu.lock").keys() == {"torch", "needed"}


def test_a_lock_that_was_edited_by_hand_is_one_line(folder, index, running):
    compile_here(folder, running)
    with (folder / "run-cpu.lock").open("a") as lock:
        lock.write("tiny @ https://example.org/tiny-1.0.tar.gz\n")
    with pytest.raises(UserError, match=r"run-cpu\.lock:8: 'tiny @ .*' pins no version"):
        locks.lock_pins(folder / "run-cpu.lock")
