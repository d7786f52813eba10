"""What a job tells the person: its lines, how far it is, and why it failed."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from snakedev.base.job import Job
from tests.project import PROJECT
from tests.terminal import at_a_terminal

FAILING = """
from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.base.terminal import draw
import sys

with job("wheel greeter", "logs/greeter.log") as running:
    running.say("begun")
    if sys.stderr.isatty():
        draw(sys.stderr, "2 of 4 jobs done")
    BODY
"""
COMPILER = "import sys; print('a.c:1:2: error: ' + 'word ' * 20); sys.exit(2)"


def program(body: str) -> list[str]:
    code = f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n" + FAILING.replace("BODY", body)
    return [sys.executable, "-c", code]


def plain(body: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program(body), cwd=folder, capture_output=True, text=True)


REASONED = 'raise UserError("greeter: no such thing:\\nlook elsewhere")'
BROKEN = f"running.run([sys.executable, '-c', {COMPILER!r}])"


def test_a_failure_is_told_in_plain_lines_without_a_terminal(tmp_path):
    done = plain(REASONED, tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "[wheel greeter] begun",
        "[wheel greeter] failed: greeter: no such thing:",
        "look elsewhere",
        "  log: logs/greeter.log",
    ]
    name = Path(sys.executable).name
    assert plain(BROKEN, tmp_path).stderr.splitlines()[1:] == [
        f"[wheel greeter] failed: {name} ended with exit status 2",
        "  its output says:",
        f"  | a.c:1:2: error: {'word ' * 20}",
        "  log: logs/greeter.log",
    ]


def test_a_failure_stands_in_a_box_on_a_terminal(tmp_path):
    seen = at_a_terminal(program(REASONED), tmp_path)
    assert seen.code == 1
    assert seen.screen == [
        "[wheel greeter] begun",
        "╭─ wheel greeter failed ".ljust(80, "─"),
        "│ greeter: no such thing:",
        "│ look elsewhere",
        "│ log: logs/greeter.log",
        "╰".ljust(80, "─"),
        "",
    ]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_box_is_no_wider_than_the_terminal_and_keeps_every_word(tmp_path, columns):
    lines = at_a_terminal(program(BROKEN), tmp_path, columns).screen[1:-1]
    assert max(map(len, lines)) == min(columns, 120)
    said = " ".join(line.removeprefix("│").strip() for line in lines[1:-1])
    assert f"a.c:1:2: error: {'word ' * 20}log: logs/greeter.log" in said
    # what goes on below its first line stays behind the same margin
    assert all(line.startswith("│   ") for line in lines[2:-2])


def test_a_box_holds_lines_that_are_mostly_space_or_colour(tmp_path):
    code = "import sys; print(' ' * 500 + 'far'); print('\\x1b[31mred\\x1b[0m'); sys.exit(1)"
    lines = at_a_terminal(program(f"running.run([sys.executable, '-c', {code!r}])"), tmp_path)
    assert "│ " + " " * 40 + "far" in lines.screen
    assert "│   red" in lines.screen


def test_how_far_a_job_is_is_said_at_once_and_then_now_and_then(tmp_path, capfd):
    with (tmp_path / "log").open("w") as log:
        running = Job("wheel greeter", log, tmp_path / "log", status_seconds=0.3)
        for number in range(3):
            running.status(f"{number} of 9 compilations")
        time.sleep(0.3)
        running.status("8 of 9 compilations")
        running.say("built")
    assert capfd.readouterr().err.splitlines() == [
        "[wheel greeter] 0 of 9 compilations",
        "[wheel greeter] 8 of 9 compilations",
        "[wheel greeter] built",
    ]


def test_a_silent_job_tells_how_much_is_there(tmp_path, capfd):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "part").write_bytes(b"x" * 3_000_000)
    with (tmp_path / "log").open("w") as log:
        running = Job("download greeter", log, tmp_path / "log", status_seconds=0.2)
        with running.telling_size(folder, 8e6):
            time.sleep(0.5)
        with running.telling_size(folder / "part"):
            time.sleep(0.3)
        with running.telling_size(folder):
            pass
        with running.telling(lambda: ""):
            time.sleep(0.3)
    said = capfd.readouterr().err.splitlines()
    assert said == [*["[download greeter] 3 of 8 MB"] * 2, "[download greeter] 3 MB"]


def test_a_log_on_a_full_disk_ends_no_job(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/greeter.log").symlink_to("/dev/full")
    done = plain("running.say('removed 1 folder')", tmp_path)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["[wheel greeter] begun", "[wheel greeter] removed 1 folder"]
    done = plain(REASONED, tmp_path)
    assert "[wheel greeter] failed: greeter: no such thing:" in done.stderr
    assert "Traceback" not in done.stderr


def test_each_attempt_has_a_log_of_its_own(tmp_path):
    """Snakemake removes the log of that name before each attempt, also one that lives on."""
    log = tmp_path / "logs/greeter.log"
    begun, go = tmp_path / "begun", tmp_path / "go"
    body = f"""
    import os, time
    open({str(begun)!r}, "w").close()
    while not os.path.exists({str(go)!r}): time.sleep(0.05)
    running.say(running.log_path.read_text())"""
    first = subprocess.Popen(program(body), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not begun.exists():
        time.sleep(0.05)
    log.unlink()
    assert plain("running.say('again')", tmp_path).returncode == 0
    go.touch()
    first.communicate()
    (own,) = {*log.parent.iterdir()} - {log}
    assert log.read_text() == "begun\nagain\n" and own.read_text() == "begun\nbegun\n"
    assert own.name.startswith("greeter-") and own.name.endswith(f"-{first.pid}.log")
