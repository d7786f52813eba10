"""A counter that loses counts: threads read it, sleep, and write it."""

import threading
import time

from stress.scenario import Finding, Scenario, same


class Stress(Scenario):
    threads = 4

    def set_up(self):
        self.counter, self.counted, self.lock = 0, 0, threading.Lock()

    def operations(self):
        return {"count": self.count}

    def count(self, random):
        with self.lock:
            self.counted += 1
        before = self.counter
        time.sleep(0.001 * random.random())
        if self.counter != before:
            raise Finding(f"somebody else counted to {self.counter}")
        self.counter = before + 1

    def finish(self):
        same(self.counter, self.counted, "counts in all")
