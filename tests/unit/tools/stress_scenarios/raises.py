"""A dictionary that one thread empties while another one pops from it."""

from stress.scenario import Scenario


class Stress(Scenario):
    threads = 4

    def set_up(self):
        self.shared = {}

    def operations(self):
        return {"put and pop": self.put_and_pop, "clear": lambda random: self.shared.clear()}

    def put_and_pop(self, random):
        key = random.randrange(3)
        self.shared[key] = key
        for _ in range(50):
            pass
        self.shared.pop(key)
