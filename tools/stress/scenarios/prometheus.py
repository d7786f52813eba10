"""prometheus_client: counters, gauges and histograms that add up, as vLLM's metrics must."""

import threading
from collections import Counter as Tally
from collections.abc import Mapping
from random import Random

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stress.scenario import Finding, Operation, Scenario, same


class Stress(Scenario):
    """Threads count in one registry, and read all of it while others count."""

    def set_up(self) -> None:
        self.registry = CollectorRegistry()
        labels = ["model", "engine"]
        self.counter = Counter("tokens", "Tokens", labels, registry=self.registry)
        self.gauge = Gauge("running", "Requests", labels, registry=self.registry)
        buckets = (1, 10, 100)
        self.histogram = Histogram(
            "latency", "Time", labels, buckets=buckets, registry=self.registry
        )
        self.local = threading.local()
        self.tallies: list[Tally[str]] = []
        self.lock = threading.Lock()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "count": self._count,
            "up and down": self._up_and_down,
            "observe": self._observe,
            "new labels": self._new_labels,
            "scrape": self._scrape,
        }

    def finish(self) -> None:
        total = sum(self.tallies, Tally())
        values = Tally()
        for family in text_string_to_metric_families(generate_latest(self.registry).decode()):
            for sample in family.samples:
                values[sample.name] += sample.value if "le" not in sample.labels else 0
        same(values["tokens_total"], total["tokens"], "tokens counted")
        same(values["running"], 0, "requests running")
        same(values["latency_count"], total["observations"], "observations")
        same(values["latency_sum"], total["observed"], "sum of the observations")

    def _tally(self) -> Tally[str]:
        """What this thread has counted."""
        if not hasattr(self.local, "tally"):
            self.local.tally = Tally()
            with self.lock:
                self.tallies.append(self.local.tally)
        return self.local.tally

    def _count(self, random: Random) -> None:
        self.counter.labels("m", str(random.randrange(3))).inc(7)
        self._tally()["tokens"] += 7

    def _up_and_down(self, random: Random) -> None:
        gauge = self.gauge.labels("m", str(random.randrange(3)))
        gauge.inc()
        gauge.dec()

    def _observe(self, random: Random) -> None:
        value = random.randrange(200)
        self.histogram.labels("m", str(random.randrange(3))).observe(value)
        self._tally().update(observations=1, observed=value)

    def _new_labels(self, random: Random) -> None:
        # a thread may meet another at the first use of a pair of labels
        self.counter.labels(f"model-{random.randrange(400)}", "0").inc()
        self._tally()["tokens"] += 1

    def _scrape(self, random: Random) -> None:
        families = list(text_string_to_metric_families(generate_latest(self.registry).decode()))
        names = {family.name for family in families}
        if not {"tokens", "running", "latency"} <= names:
            raise Finding(f"a scrape lacks metrics: it has {sorted(names)}")
