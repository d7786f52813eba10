"""The first operation reads address 0."""

import ctypes

from stress.scenario import Scenario


class Stress(Scenario):
    threads = 1

    def set_up(self):
        pass

    def operations(self):
        return {"read nothing": lambda random: ctypes.string_at(0)}
