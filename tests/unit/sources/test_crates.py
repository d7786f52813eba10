"""Vendoring crates by the real cargo, from a registry that does not answer."""

import shutil

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.probe import probe
from snakedev.sources.crates import vendor
from snakedev.store.layout import Layout
from snakedev.store.source_specs import CratesSpec

LOCK = """version = 3

[[package]]
name = "itoa"
version = "1.0.14"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "d75a2a4b1b190afb6f5425f10f6a8f959d2ea0b9c2b1d79553551850539e4674"

[[package]]
name = "tiny"
version = "0.1.0"
dependencies = ["itoa"]
"""
MANIFEST = """[package]
name = "tiny"
version = "0.1.0"
edition = "2021"

[dependencies]
itoa = "1"
"""


@pytest.mark.skipif(shutil.which("cargo") is None, reason="there is no cargo")
def test_a_registry_that_does_not_answer_is_said_in_a_line(tmp_path, monkeypatch, running):
    layout = Layout(tmp_path / "results")
    tree = layout.source("tiny", "0" * 16) / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "src/lib.rs").touch()
    (tree / "Cargo.toml").write_text(MANIFEST)
    (tree / "Cargo.lock").write_text(LOCK)
    home = tmp_path / "cargo"
    home.mkdir()
    # nobody listens at port 9
    (home / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "gone"\n'
        '[source.gone]\nregistry = "sparse+http://127.0.0.1:9/"\n[net]\nretry = 0\n'
    )
    machine = probe(tmp_path / "machine.json")
    monkeypatch.setenv("CARGO_HOME", str(home))
    spec = CratesSpec(repo="tiny", source_key="0" * 16, subdirectory=".")
    with pytest.raises(UserError) as raised:
        vendor(spec, layout, machine, running)
    said = str(raised.value)
    assert said.startswith("tiny: cargo cannot fetch its crates (") and "\n" not in said
    assert "127.0.0.1" in said
    assert said.endswith("leave the repo out with repos.tiny.enabled: false")
    assert not layout.folder(spec).exists()
