"""A Rust that is too old for a source is said before it is built, by the real cargo."""

import shutil

import pytest

from snakedev.base.errors import UserError
from snakedev.machine.probe import Tool, probe
from snakedev.sources.crates import vendor
from snakedev.store.layout import Layout
from snakedev.store.source_specs import CratesSpec

pytestmark = pytest.mark.skipif(shutil.which("cargo") is None, reason="there is no cargo")
NEW = "1.400"
NEWER = {"helper_rust": f'rust-version = "{NEW}"'}


def crate(folder, name, *, rust="", dependencies=""):
    (folder / "src").mkdir(parents=True)
    (folder / "src/lib.rs").touch()
    head = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n'
    (folder / "Cargo.toml").write_text(f"{head}{rust}\n{dependencies}")


@pytest.fixture
def vendored(tmp_path, running):
    """Vendors a package with a helper of a given Rust, as a dependency of some kind."""

    def run(*, kind="dependencies", rust="", helper_rust="", lock=3, here=None):
        layout = Layout(tmp_path / "results")
        tree = layout.source("tiny", "0" * 16) / "tree"
        crate(tree / "helper", "helper", rust=helper_rust)
        crate(tree, "tiny", rust=rust, dependencies=f'[{kind}]\nhelper = {{path = "helper"}}\n')
        (tree / "Cargo.lock").write_text(
            f'version = {lock}\n\n[[package]]\nname = "helper"\nversion = "0.1.0"\n\n'
            '[[package]]\nname = "tiny"\nversion = "0.1.0"\ndependencies = ["helper"]\n'
        )
        machine = probe(tmp_path / "machine.json")
        if here:
            rustc = Tool(path=machine.tools["rustc"].path, identity=f"rustc {here} (x)\nhost: y")
            machine = machine.model_copy(update={"tools": machine.tools | {"rustc": rustc}})
        spec = CratesSpec(repo="tiny", source_key="0" * 16, subdirectory=".")
        return vendor(spec, layout, machine, running)

    return run


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("its Cargo.toml needs Rust 1.400, and", {"rust": f'rust-version = "{NEW}"'}),
        (
            "its crate helper 0.1.0 needs Rust 1.400, and",
            {"helper_rust": f'rust-version = "{NEW}"'},
        ),
        (
            "its crate helper 0.1.0 needs Rust 1.400, and",
            NEWER | {"kind": "build-dependencies"},
        ),
        (
            "version 4 of its Cargo.lock needs Rust 1.78, and this machine's is 1.63.0: ",
            {"lock": 4, "here": "1.63.0"},
        ),
        ("edition 2021 needs Rust 1.56, and this machine's is 1.55.0: ", {"here": "1.55.0"}),
    ],
)
def test_a_rust_that_is_too_old_is_one_line(vendored, what, changes):
    with pytest.raises(UserError) as raised:
        vendored(**changes)
    said = str(raised.value)
    assert said.startswith(f"tiny: {what}") and "\n" not in said
    assert said.endswith("or leave the repo out with repos.tiny.enabled: false")


@pytest.mark.parametrize("kind", ["dev-dependencies", "target.'cfg(windows)'.dependencies"])
def test_what_is_not_compiled_here_does_not_count(vendored, kind):
    assert vendored(kind=kind, **NEWER).repo == "tiny"


def test_a_rust_that_is_new_enough_will_do(vendored):
    assert vendored(rust='rust-version = "1.56"', helper_rust='rust-version = "1.60"').crates == 0
