"""A thread reads address 0."""

import ctypes
import threading
import time

from stress.scenario import Scenario


class Stress(Scenario):
    threads = 3

    def set_up(self):
        self.born, self.lock = time.monotonic(), threading.Lock()

    def operations(self):
        return {"read nothing": self.read_nothing, "wait": lambda random: time.sleep(0.01)}

    def read_nothing(self, random):
        # after some beats, so that the parent has seen what the threads do
        if time.monotonic() - self.born > 1.2:
            # one thread: another that crashes meanwhile would cut the stack short
            with self.lock:
                ctypes.string_at(0)
