"""Reproducer for cpython-memoryview-counts.md: `python cpython_memoryview_counts.py [SECONDS]`.

Threads slice one memoryview, and nothing releases it. Exit status 1 says that it was released.
"""

import sys
import threading
import time

THREADS = 8


def main(seconds: float) -> int:
    shared = memoryview(bytearray(1 << 20))
    failed: list[str] = []
    made = [0] * THREADS
    stop = time.monotonic() + seconds

    def work(number: int) -> None:
        try:
            while time.monotonic() < stop and not failed:
                blocks = [shared[start : start + 64] for start in range(0, 512, 64)]
                made[number] += len(blocks)
                del blocks
        except ValueError as error:
            failed.append(str(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gil = "on" if getattr(sys, "_is_gil_enabled", lambda: True)() else "off"
    said = ", ".join(set(failed)) or "no failure"
    print(f"{sys.version.split(' (')[0]}, GIL {gil}: {sum(made)} slices, {said}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5))
