"""Each operation leaves memory and a thread behind."""

import threading
import time

from stress.scenario import Scenario


class Stress(Scenario):
    threads = 2
    round_seconds = 0.05
    memory_growth = 16 << 20

    def set_up(self):
        self.kept = []
        self.end = threading.Event()

    def operations(self):
        return {"leak": self.leak}

    def leak(self, random):
        time.sleep(0.02)
        self.kept.append(b"x" * (1 << 20))
        threading.Thread(target=self.end.wait, daemon=True).start()

    def tear_down(self):
        self.end.set()
