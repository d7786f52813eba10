"""What of an environment goes into which layer, and what is left out or rewritten."""

import pytest

from snakedev.base.errors import UserError
from snakedev.images.contents import environment_entries

SITE = "lib/python3.14t/site-packages"


@pytest.fixture
def environment(tmp_path):
    """An environment with a package for each layer."""
    folder = tmp_path / "run-cpu"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").symlink_to("/home/me/results/interpreter/bin/python3.14t")
    (folder / "bin/python3").symlink_to("python")
    (folder / "pyvenv.cfg").write_text("home = /home/me/results/interpreter/bin\nprompt = x\n")
    for name in ("env.json", "CACHEDIR.TAG", "bin/activate"):
        (folder / name).write_text("/home/me")
    for name in ("nvidia_cublas", "torch", "anyio", "mine"):
        package(folder, name)
    return folder


def package(folder, name):
    site = folder / SITE
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / name).mkdir()
    files = {f"{name}/__init__.py": "", f"../../../bin/{name}": "#!/bin/sh"}
    notes = {f"{info.name}/{note}": "/home/me" for note in ("direct_url.json", "uv_cache.json")}
    for path, text in {**files, **notes}.items():
        (site / path).write_text(text)
    (site / name / "__pycache__").mkdir()
    (site / name / "__pycache__/__init__.cpython-314.pyc").write_text("/home/me")
    rows = [*files, *notes, f"{info.name}/RECORD"]
    (info / "RECORD").write_text("".join(f"{row},,\n" for row in rows))


def test_each_package_lies_in_its_layer_with_its_programs(environment):
    layers = environment_entries(environment, {"mine"})
    paths = {name: {entry.path for entry in entries} for name, entries in layers.items()}
    for layer, name in (
        ("nvidia", "nvidia_cublas"),
        ("torch", "torch"),
        ("packages", "anyio"),
        ("wheels", "mine"),
    ):
        assert {f"opt/vllm/{SITE}/{name}/__init__.py", f"opt/vllm/bin/{name}"} <= paths[layer]
    assert {"opt/vllm/pyvenv.cfg", "opt/vllm/bin/python3"} <= paths["wheels"]


def test_nothing_names_the_machine(environment):
    entries = [
        one for layer in environment_entries(environment, {"mine"}).values() for one in layer
    ]
    for entry in entries:
        content = entry.content if isinstance(entry.content, bytes) else b""
        if content == b"" and entry.content is not None and not isinstance(entry.content, bytes):
            content = entry.content.read_bytes()
        assert b"/home/me" not in content and "/home/me" not in (entry.link or ""), entry
    found = {entry.path: entry for entry in entries}
    assert found["opt/vllm/bin/python"].link.startswith("/opt/python/bin/python3.14t")
    record = found[f"opt/vllm/{SITE}/mine-1.0.dist-info/RECORD"].content.decode()
    assert record.splitlines() == [
        "../../../bin/mine,,",
        "mine-1.0.dist-info/RECORD,,",
        "mine/__init__.py,,",
    ]


def test_a_link_out_of_the_environment_is_taken_along_where_it_is_a_file(environment, tmp_path):
    (tmp_path / "library").write_text("bytes")
    (environment / SITE / "mine/library.so").symlink_to(tmp_path / "library")
    (found,) = (
        entry
        for entry in environment_entries(environment, {"mine"})["wheels"]
        if entry.path.endswith("library.so")
    )
    assert found.link is None and found.content.read_text() == "bytes"
    (environment / SITE / "mine/folder").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"mine/folder leads to .*, which no image has"):
        environment_entries(environment, {"mine"})
