"""Reproducer for cpython-import-deadlock.md: `python cpython_import_deadlock.py [TIMES]`.

Threads import a package and its submodule, which the package imports itself: each time in a
fresh process. Exit status 1 says that an import failed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
import sys, threading
NAMES = ["pack", "pack.part"] * 4
start, failed = threading.Barrier(len(NAMES)), []

def load(name):
    start.wait()
    try:
        __import__(name)
    except BaseException as error:
        failed.append(f"import {name}: {type(error).__name__}: {error}")

threads = [threading.Thread(target=load, args=(name,)) for name in NAMES]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*failed, sep="\\n")
sys.exit(bool(failed))
"""


def main(times: int) -> int:
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "pack")
        package.mkdir()
        # what a real package does before it imports its parts: read files, import others
        begin = "import time; time.sleep(0.05)\n"
        package.joinpath("__init__.py").write_text(begin + "import pack.part\n")
        package.joinpath("part.py").write_text("value = 1\n")
        for _ in range(times):
            command = [sys.executable, "-c", PROGRAM]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                failed.append(done.stdout.strip() or done.stderr.strip())
    print(f"{sys.version.split(' (')[0]}: {len(failed)} of {times} processes failed")
    print("\n".join(sorted(set(failed))[:3]))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
