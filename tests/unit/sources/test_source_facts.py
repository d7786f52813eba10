"""What a source says of itself, and what is known of it beside the locks."""

import pytest

from snakedev.base.errors import UserError
from snakedev.config.repos import Repo
from snakedev.config.source_facts import SourceFacts, SourceIdentity, facts_file, read_facts
from snakedev.sources.source_facts import read_source, refuse_other

SHA256, COMMIT = "2" * 64, "1" * 40
IDENTITY = SourceIdentity(repo="vllm", version="0.26.0", sha256=SHA256, commit=COMMIT)
FILES = {
    "pyproject.toml": '[build-system]\nrequires = ["cmake>=3.26.1", "torch == 2.11.0"]\n',
    "requirements/common.txt": (
        "fastapi[standard] >= 0.133.0, < 0.137.0 # First version\n\n"
        "six>=1.16.0; python_version > '3.11'\n"
        "long \\\n  >= 1\n"
        "-r common.txt\n"
    ),
    "requirements/cpu.txt": (
        "--extra-index-url https://example.org\n# Common\n-r common.txt\n"
        "torch==2.11.0+cpu; platform_machine == 'x86_64'\t# torch\n"
    ),
    "requirements/rocm.txt": "--requirement=common.txt\ntimm\n",
    "requirements/build/cpu.txt": "setuptools==77.0.3\ntorch==2.11.0+cpu\n",
    "requirements/build/rocm.txt": "-r ../common.txt\namdsmi==7.0.2\n",
    "requirements/tpu.txt": "jax\n",
}


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "tree"


def test_what_a_source_asks_for_is_read_by_variant(tree):
    facts = read_source(tree, IDENTITY)
    common = ("fastapi[standard]<0.137.0,>=0.133.0", 'six>=1.16.0; python_version > "3.11"')
    torch = 'torch==2.11.0; platform_machine == "x86_64"'
    assert facts.requirements == {
        "cpu": (*common, "long>=1", torch),
        "rocm": (*common, "long>=1", "timm"),
    }
    assert facts.build_requirements == {
        "cpu": ("cmake>=3.26.1", "torch==2.11.0", "setuptools==77.0.3"),
        # its own file is of what running asks for, too
        "rocm": ("cmake>=3.26.1", "torch==2.11.0"),
    }
    assert facts.identity == IDENTITY


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("requirements/cpu.txt", "-r gone.txt\n", r"requirements/gone\.txt is missing"),
        ("requirements/common.txt", "not a one\n", r"common\.txt: 'not a one' is no requirement"),
        ("pyproject.toml", "[build-system]\n", r"pyproject\.toml: no build-system\.requires"),
        ("pyproject.toml", "[\n", r"pyproject\.toml: no build-system\.requires"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_line(tree, file, text, said):
    (tree / file).write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        read_source(tree, IDENTITY)
    assert "\n" not in str(caught.value)


def repo(**more):
    release = {"name": "vllm", "sha256": SHA256, "commit": COMMIT}
    git = {"url": "https://example.org/vllm.git", "commit": COMMIT}
    given = {"recipe": "vllm", "version": "0.26.0", "release": release, "git": git} | more
    return Repo.model_validate(given)


def known(folder, entry, origin):
    return read_facts(folder, SourceIdentity.pinned("vllm", entry, origin), origin)


@pytest.mark.parametrize("origin", ["release", "git"])
def test_one_file_serves_both_origins(tree, tmp_path, origin):
    """Whichever origin it was read from, if the release was made from the commit."""
    facts = read_source(tree, SourceIdentity.pinned("vllm", repo(), origin))
    facts.write(facts_file(tmp_path, "vllm"))
    assert known(tmp_path, repo(), "release") == known(tmp_path, repo(), "git") == facts


@pytest.mark.parametrize(
    ("moved", "origin"),
    [
        ({"version": "0.27.0"}, "release"),
        ({"release": {"name": "vllm", "sha256": "3" * 64, "commit": COMMIT}}, "release"),
        ({"git": {"url": "https://example.org/vllm.git", "commit": "4" * 40}}, "git"),
    ],
)
def test_a_pin_that_moved_without_the_file_is_one_line(tree, tmp_path, moved, origin):
    read_source(tree, IDENTITY).write(facts_file(tmp_path, "vllm"))
    with pytest.raises(UserError) as caught:
        known(tmp_path, repo(**moved), origin)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/vllm.source.json is of vllm 0.26.0 (sha256 222222222222,")
    assert said.endswith(": run `snakemake locks`") and "\n" not in said


def test_a_pin_that_the_origin_does_not_use_may_move(tree, tmp_path):
    read_source(tree, IDENTITY).write(facts_file(tmp_path, "vllm"))
    git = {"url": "https://example.org/vllm.git", "commit": "4" * 40}
    assert known(tmp_path, repo(git=git), "release").identity == IDENTITY


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "is missing: it says what vllm 0.26.0"), ("{", "not a SourceFacts")],
)
def test_a_file_that_is_not_there_or_damaged_is_one_line(tmp_path, text, said):
    if text:
        facts_file(tmp_path, "vllm").write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        known(tmp_path, repo(), "release")
    assert "run `snakemake locks`" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_that_says_otherwise_is_refused(tree, tmp_path):
    facts = read_source(tree, IDENTITY)
    refuse_other(facts, facts, tmp_path)
    (tree / "requirements/common.txt").write_text("six\n")
    lying = facts.model_copy(update={"tags": {"cutlass": "v4.4.2"}})
    with pytest.raises(UserError) as caught:
        refuse_other(SourceFacts(**lying.model_dump()), read_source(tree, IDENTITY), tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/vllm.source.json: requirements, tags: the source of vllm 0.26.0 says "
        f"otherwise: run `snakemake locks`"
    )
