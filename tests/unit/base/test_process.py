"""What is shown of a program's output when it fails: why, whatever said it."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from snakedev.base.job import Job
from snakedev.base.process import CommandError

# What called a compiler tells where in its own code that was, and which call it was.
WRAPPER = "".join(
    f'  File "backend.py", line {n}, in call_{n}\n    self.run()\n' for n in range(15)
)
BUSY = "".join(f"[{n}/99] Building CXX object {n}.cpp.o\nwarning: unused {n}\n" for n in range(20))
SAID = {
    "cmake": (
        "-- Detecting CXX compile features - done\n",
        "CMake Error at CMakeLists.txt:4 (message):\n  torch 2.99 is needed\n",
    ),
    "linker": (
        "gcc -shared x.o -o x.so\n",
        "/usr/bin/ld: x.o: in function `main':\nx.c:(.text+0x5): undefined reference to `foo'\n"
        "collect2: error: ld returned 1 exit status\n",
    ),
    "library": ("", "/usr/bin/ld: cannot find -lnowhere\ncollect2: error: ld returned 1\n"),
    "rustc": ("   Compiling x v1\n", "error[E0308]: mismatched types\n --> src/lib.rs:2:32\n"),
    "cargo": ("    Updating index\n", "error: no matching package named `nowhere` found\n"),
    "build.rs": (
        "   Compiling x v1\n",
        "error: failed to run custom build command for `x v1`\n\nCaused by:\n  --- stderr\n"
        "  thread 'main' panicked at build.rs:1:12:\n  protoc is missing\n",
    ),
    "memory": ("g++ -c a.cpp\n", "c++: fatal error: Killed signal terminated program cc1plus\n"),
    "ninja": ("[1/9] Building\n", "FAILED: [code=1] a.o\nnvcc -c a.cu\nnothing but a line\n"),
    "nvcc": ("", "nvcc error   : 'cicc' died due to signal 9 (Kill signal)\n"),
    "ptxas": ("", "ptxas fatal   : Unresolved extern function '_Z1fv'\n"),
    "meson": ("Found ninja\n", 'meson.build:3:0: ERROR: Dependency "foo" not found\n'),
    "configure": ("checking for gcc... no\n", "configure: error: no acceptable C compiler\n"),
    "python": ("", "RuntimeError: CUDA_HOME is not set\n"),
    "vllm": ("INFO a\n", "(EngineCore pid=7) ERROR 11-27 [core.py:1] ValueError: no such head\n"),
}


def why(output: str, running: Job) -> list[str]:
    """The lines that are shown of a program with this output, which fails."""
    file = running.log_path.with_name("output")
    file.write_text(output)
    with pytest.raises(CommandError) as raised:
        running.run(["sh", "-c", f"cat {shlex.quote(str(file))}; exit 1"])
    assert raised.value.tail == output.splitlines()[-30:]
    return raised.value.why


@pytest.mark.parametrize("kind", SAID)
def test_the_first_error_is_shown_however_much_is_said_after_it(kind: str, running: Job) -> None:
    before, said = SAID[kind]
    shown = why(BUSY + before + said + BUSY + WRAPPER + "error: Failed to build\n", running)
    start = shown.index(said.splitlines()[0])
    assert shown[start : start + len(said.splitlines())] == said.splitlines()
    assert shown[-1] == "error: Failed to build"
    assert "…" in shown and len(shown) <= 21


@pytest.mark.parametrize("kind", SAID)
def test_nothing_is_left_out_of_a_short_output(kind: str, running: Job) -> None:
    output = "".join(SAID[kind]) + "error: Failed to build\n"
    assert why(output, running) == output.splitlines()


def test_what_names_no_error_is_shown_by_its_last_lines(running: Job) -> None:
    shown = why("".join(f"line {n}\n" for n in range(50)) + "You need foo 3\n", running)
    assert shown == [*(f"line {n}" for n in range(31, 50)), "You need foo 3"]


def test_a_python_exception_is_shown_with_what_raised_it(running: Job, tmp_path: Path) -> None:
    setup = (
        "def outer(depth):\n    if depth: outer(depth - 1)\n    raise RuntimeError('no toolkit')\n"
    )
    (tmp_path / "setup.py").write_text(setup + "outer(40)\n")
    with pytest.raises(CommandError) as raised:
        running.run([sys.executable, tmp_path / "setup.py"])
    assert raised.value.why[-1] == "RuntimeError: no toolkit"
    assert "    raise RuntimeError('no toolkit')" in raised.value.why


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("#include <nowhere.h>\n", "nowhere.h: No such file or directory"),
        ("int foo(void); int main(void) { return foo(); }\n", "undefined reference to `foo'"),
        ("int main(void) { return nothing; }\n", "undeclared"),
    ],
)
def test_a_real_compiler_is_understood(
    running: Job, tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "x.c").write_text(source)
    done = subprocess.run(["cc", "x.c"], cwd=tmp_path, capture_output=True, text=True)
    assert said in done.stderr
    assert any(said in line for line in why(BUSY + done.stderr + BUSY + WRAPPER, running))


def test_an_endless_line_is_cut(running: Job) -> None:
    (line,) = why("error: " + "x" * 1_000_000 + "\n", running)
    assert line.startswith("error: x") and len(line) == 1000
