"""Nothing goes wrong."""

import json
import threading

from stress.scenario import Scenario, same


class Stress(Scenario):
    threads = 3
    round_seconds = 0.2

    def set_up(self):
        self.lock, self.counter, self.seen = threading.Lock(), 0, 0
        self.choices = {}

    def operations(self):
        return {"count": self.count, "look": lambda random: None}

    def count(self, random):
        with self.lock:
            self.counter += 1
            self.choices.setdefault(threading.current_thread().name, []).append(random.random())

    def finish(self):
        with self.lock:
            same(self.counter, sum(map(len, self.choices.values())), "counts")
        (self.setting.scratch / "../../choices").resolve().write_text(
            json.dumps({name: made[0] for name, made in self.choices.items()})
        )
