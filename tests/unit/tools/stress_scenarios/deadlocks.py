"""Two threads take two locks, each in its own order."""

import threading
import time

from stress.scenario import Scenario


class Stress(Scenario):
    threads = 2
    limit_seconds = 2

    def set_up(self):
        self.locks = [threading.Lock(), threading.Lock()]
        self.turn = iter((0, 1))

    def operations(self):
        return {"take both": self.take_both}

    def take_both(self, random):
        first = next(self.turn, 0)
        with self.locks[first]:
            time.sleep(0.3)
            with self.locks[1 - first]:
                pass
