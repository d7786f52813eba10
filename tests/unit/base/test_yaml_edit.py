"""Changing values in YAML: comments, order, quotes and line ends stay."""

import pytest
import yaml

from snakedev.base.yaml_edit import comments_in, holds, with_values, without
from tests.project import PROJECT

TEXT = """\
# what to build
repos:
  first:  # the one
    version: 1.0.1   # said twice: 1.0.1
    name: 'it''s'
    release: {sha256: "00", kind: sdist}
    # of the wheels,
    # which 1.0.1 has
    kernels:
      cpu:
        version: "1.0"
      # for GPUs
      cuda:
        version: "1.0"

  # the next
  second: {version: 2.0.0}
"""


def test_a_value_is_replaced_and_nothing_else():
    values = {
        ("repos", "first", "version"): "1.0.2",
        ("repos", "first", "name"): "that's",
        ("repos", "first", "release", "sha256"): "11",
        ("repos", "second", "version"): "2.1",
    }
    changed = with_values(TEXT, values)
    assert changed == TEXT.replace("version: 1.0.1 ", "version: 1.0.2 ").replace(
        "'it''s'", "'that''s'"
    ).replace('"00"', '"11"').replace("2.0.0", '"2.1"')
    assert yaml.safe_load(changed)["repos"]["second"] == {"version": "2.1"}


@pytest.mark.parametrize("value", ["1.0", "null", "a: b", "0x1f", "1e3", "", "# no", "2026-01-01"])
def test_a_text_stays_a_text(value):
    changed = with_values(TEXT, {("repos", "first", "version"): value})
    assert yaml.safe_load(changed)["repos"]["first"]["version"] == value


def test_an_entry_goes_with_its_lines_alone():
    lines = TEXT.splitlines(keepends=True)
    assert without(TEXT, [("repos", "first", "kernels", "cpu")]) == "".join(lines[:9] + lines[11:])
    assert without(TEXT, [("repos", "first", "kernels", "cuda")]) == "".join(
        lines[:12] + lines[14:]
    )
    gone = without(TEXT, [("repos", "second")])
    assert gone == "".join(lines[:-1])


def test_an_entry_can_stay_as_a_comment():
    changed = without(TEXT, [("repos", "first", "kernels", "cpu")], kept="not there any more:")
    assert (
        '      # not there any more:\n      # cpu:\n      #   version: "1.0"\n      # for GPUs\n'
    ) in changed
    assert yaml.safe_load(changed)["repos"]["first"]["kernels"] == {"cuda": {"version": "1.0"}}


def test_a_place_that_is_not_there_is_told():
    assert not holds(TEXT, ("repos", "third")) and holds(TEXT, ("repos", "second"))
    for place in (("repos", "third", "version"), ("repos", "first")):
        with pytest.raises(KeyError):
            with_values(TEXT, {place: "1"})


def test_the_comments_of_an_entry():
    assert comments_in(TEXT, ("repos", "first"))[:3] == [
        (3, "the one"),
        (4, "said twice: 1.0.1"),
        (7, "of the wheels,"),
    ]


def test_the_projects_own_configuration_keeps_its_comments():
    text = (PROJECT / "config.yaml").read_text(encoding="utf-8")
    old = yaml.safe_load(text)["repos"]["vllm"]["version"]
    changed = with_values(text, {("repos", "vllm", "version"): "9.9.9"})
    assert changed == text.replace(f"version: {old}", "version: 9.9.9", 1)
