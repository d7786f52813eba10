"""YAML files that people write: a mistake is one line that names the file."""

import pytest

from snakedev.base.errors import UserError
from snakedev.base.yaml_file import read_yaml


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("repos:\n  a:\n    git: {commit: x}\n    git: {commit: y}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"config.yaml:4: the key 'git' stands here and in line 3"):
        read_yaml(path)


@pytest.mark.parametrize("text", ["a: [1\n", "[a]: 1\n", "? {a: 1}\n: 2\n", "a: &a [*a]\n"])
def test_a_file_that_is_no_yaml_is_named(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"broken.yaml: not YAML"):
        read_yaml(path)


def test_the_same_key_in_two_places_is_none_given_twice(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: &shared {b: 1}\nc: {<<: *shared, b: 2}\n", encoding="utf-8")
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 2}}


def test_a_mapping_that_is_merged_where_it_is_named_may_be_taken_again(tmp_path):
    path = tmp_path / "config.yaml"
    text = "a: &a {b: 1}\nd: {<<: &c {<<: *a, b: 2}, e: 1}\nf: *c\ng: {<<: [*c, *a], b: 3}\n"
    path.write_text(text, encoding="utf-8")
    merged = {"b": 2}
    assert read_yaml(path) == {"a": {"b": 1}, "d": {"b": 2, "e": 1}, "f": merged, "g": {"b": 3}}


@pytest.mark.parametrize("key", ["~", "<<", "1"])
def test_no_key_may_be_given_twice(tmp_path, key):
    path = tmp_path / "config.yaml"
    path.write_text(f"{key}: {{a: 1}}\n{key}: {{a: 2}}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"config.yaml:2: the key '.*' stands here and in line 1"):
        read_yaml(path)
