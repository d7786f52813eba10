"""The set-up fails."""

from stress.scenario import Scenario


class Stress(Scenario):
    def set_up(self):
        raise RuntimeError("no model here")

    def operations(self):
        return {}
