"""What a source asks for, held against the locks."""

import pytest

from snakedev.base.errors import UserError
from snakedev.environments.exclusions import read_exclusions
from snakedev.environments.requirements import check_requirements

LOCK_BUILD = "cmake==4.0 \\\n    --hash=sha256:00\ntorch==2.11.0 \\\n    --hash=sha256:00\n"
LOCK_RUN = (
    "fastapi[standard]==0.136.3 \\\n    --hash=sha256:00\n"
    "mistral-common==1.13.1 \\\n    --hash=sha256:00\n"
    "safetensors==0.9.0rc1 \\\n    --hash=sha256:00\n"
    "torch==2.11.0 \\\n    --hash=sha256:00\n"
)
COMMON = """\
fastapi[standard] >= 0.133.0, < 0.137.0 # First version
safetensors >= 0.6.2
mistral_common[image] >= 1.11.5

six>=1.16.0; python_version < '3.12'
winonly; sys_platform == 'win32'
outlines_core == 0.2.14
opencv-python-headless >= 4.13.0    # required for video IO
"""


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    (tree / "requirements").mkdir(parents=True)
    (tree / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["cmake>=3.26.1", "torch == 2.11.0"]\n'
    )
    (tree / "requirements" / "common.txt").write_text(COMMON)
    (tree / "requirements" / "cpu.txt").write_text(
        "--extra-index-url https://example.org\n# Common\n-r common.txt\ntorch==2.11.0\n"
    )
    return tree


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "envs"
    folder.mkdir()
    (folder / "build-cpu.lock").write_text(LOCK_BUILD)
    (folder / "run-cpu.lock").write_text(LOCK_RUN)
    (folder / "exclusions.yaml").write_text(
        "opencv-python-headless: {reason: abi3, without: video}\n"
        "mistral-common[image]: {reason: needs opencv, without: images}\n"
    )
    return folder


def check(tree, folder, built=(("outlines-core", "0.2.14"),), left_out=()):
    return check_requirements(tree, folder, "cpu", "3.14", dict(built), dict(left_out))


def test_every_requirement_has_its_answer(tree, folder):
    record = check(tree, folder)
    answers = {r.requirement.split("=")[0].split(">")[0]: r.answer for r in record.requirements}
    assert answers["outlines_core"] == "built here"
    assert answers["opencv-python-headless"] == "excluded"
    assert answers["mistral_common[image]"] == "lock"
    assert not {"six", "winonly"} & set(answers)
    (mistral,) = [r for r in record.requirements if r.requirement.startswith("mistral")]
    assert mistral.detail == "1.13.1; without [image]: needs opencv"


def test_a_repo_that_is_left_out_is_an_answer(tree, folder):
    record = check(tree, folder, built=(), left_out=[("outlines-core", "no cargo")])
    assert "left out" in {requirement.answer for requirement in record.requirements}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "torch==2.13.0",
            r"requirements/cpu\.txt .* 'torch==2\.13\.0', and .*run-cpu\.lock has 2\.11",
        ),
        ("torch==2.12.0+cpu", r"has 2\.11\.0: change run-cpu\.in and run `snakemake locks`"),
        ("ray", "has no such package"),
        ("fastapi[all]", r"has it without the extra all"),
        ("outlines-core==0.3", r"outlines-core 0\.2\.14, which is built here"),
        ("not a requirement", "is no requirement"),
    ],
)
def test_what_nothing_answers_is_said(tree, folder, line, what):
    with (tree / "requirements" / "cpu.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(UserError, match=what):
        check(tree, folder)


def test_all_mismatches_are_said_at_once(tree, folder):
    (tree / "pyproject.toml").write_text('[build-system]\nrequires = ["cmake>=5", "maturin"]\n')
    with pytest.raises(UserError) as caught:
        check(tree, folder)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and all("build-cpu.lock" in line for line in lines)


def test_a_source_without_the_variant_is_said(tree, folder):
    (tree / "requirements" / "cpu.txt").unlink()
    with pytest.raises(UserError, match=r"cpu\.txt is missing"):
        check(tree, folder)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("- ray\n", "not a mapping"),
        ("ray:\n", "ray: give it `reason`"),
        ("ray: no wheel\n", "ray: give it `reason`"),
        ("ray: {reason: no wheel}\n", "`without`"),
        ("ray: {reason: no wheel, without: ' '}\n", "`without`"),
        ("ray: {reason: no wheel, without: '', why: ''}\n", "nothing else"),
        ("ray: {reason: no wheel, without: all, extra: Ray_2}\n", "ray: `extra` is the extra that"),
        ("ray: {reason: no wheel, without: all, extra: true}\n", "or false for none"),
        ("ray: {reason: no wheel, without: all, asked_by: one}\n", "ray: `asked_by` is a list of"),
        ("ray>=2: too new\n", "says more than"),
        ("'not a name': why\n", "is not a package name"),
        ("ray: [\n", "not YAML"),
        (
            "ray: {reason: no wheel, without: all}\nray: {reason: abi3, without: all}\n",
            "exclusions.yaml:2: the key 'ray' stands here and in line 1: keep one of them",
        ),
        ("lock run-cpu: no use there\n", "lock run-cpu is not a mapping"),
        ("lock run-cuda:\n  ray:\n", "ray: give it `reason`"),
    ],
)
def test_a_bad_exclusion_is_one_line(tmp_path, text, what):
    (tmp_path / "exclusions.yaml").write_text(text)
    with pytest.raises(UserError, match=what) as caught:
        read_exclusions(tmp_path)
    assert "\n" not in str(caught.value)


def test_an_exclusion_of_one_lock_is_none_of_another(tree, folder):
    (folder / "exclusions.yaml").write_text(
        "mistral-common[image]: {reason: needs opencv, without: images}\n"
        "lock run-cpu:\n  opencv-python-headless: {reason: abi3, without: video}\n"
        "lock run-cuda:\n  ray: {reason: no wheel, without: nothing}\n"
    )
    answers = {r.requirement: r for r in check(tree, folder).requirements}
    opencv = next(r for name, r in answers.items() if name.startswith("opencv"))
    assert (opencv.answer, opencv.detail) == ("excluded", "abi3")
    assert set(read_exclusions(folder, "run-cuda").packages) == {"ray"}
    assert not read_exclusions(folder).packages and read_exclusions(folder).extras


def test_the_extras_of_a_wheel_are_those_of_what_it_asks_for(folder):
    (folder / "exclusions.yaml").write_text(
        "Ray: {reason: no wheel, without: nodes}\n"
        "grpcio: {reason: no wheel, without: tracing, extra: otel, asked_by: [greeter]}\n"
        "mistral_common[Image]: {reason: needs opencv, without: images, extra: video}\n"
        "lock run-cpu:\n  triton: {reason: turns the GIL on, without: nothing, extra: false}\n"
    )
    asked = ("ray>=2; python_version>'3'", "mistral-common[image,audio]", "triton", "other")
    shared = {"ray": "ray", "mistral-common[image]": "video"}
    of_cpu = read_exclusions(folder, "run-cpu")
    assert of_cpu.of_wheel("vllm", asked) == {**shared, "triton": None}
    assert read_exclusions(folder, "run-cuda").of_wheel("vllm", asked) == shared
    assert of_cpu.of_wheel("greeter", ["mistral-common"]) == {"grpcio": "otel"}
