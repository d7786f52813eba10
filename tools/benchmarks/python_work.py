"""Small programs in pure Python; prints the processor seconds of each, as JSON.

Run by the interpreters that tools/benchmarks/interpreter.py compares. Standard library only.
"""

import json
import sys
import time


class _Account:
    """Methods, slots, lists and dicts, as a scheduler's bookkeeping."""

    __slots__ = ("counts", "key", "queue")

    def __init__(self, key):
        self.key, self.counts, self.queue = key, {}, []

    def step(self, number):
        self.queue.append(number)
        if len(self.queue) > 10:
            self.queue = self.queue[5:]
        self.counts[number % 17] = self.counts.get(number % 17, 0) + 1
        return self.key ^ number


def objects():
    accounts = [_Account(key) for key in range(50)]
    return sum(account.step(number) for number in range(6_000) for account in accounts)


def calls(depth=26):
    return depth if depth < 2 else calls(depth - 1) + calls(depth - 2)


def strings():
    return "".join(f"{i}:{2 * i}".split(":")[1].upper() for i in range(150_000))


def dictionaries():
    counts = {}
    for i in range(150_000):
        key = (i % 100, str(i % 37))
        counts[key] = counts.get(key, 0) + i
    return counts


def generators():
    return sum(i * i for i in range(700_000) if i & 1)


WORK = (objects, calls, strings, dictionaries, generators)


def main():
    """Do each once without counting, and once for the time."""
    seconds = {}
    for work in WORK:
        work()
        started = time.process_time()
        work()
        seconds[work.__name__] = time.process_time() - started
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    print(json.dumps({"version": sys.version.split()[0], "gil": gil, "seconds": seconds}))


if __name__ == "__main__":
    main()
