"""What a patch report says first: whether the series apply."""

from collections import Counter
from collections.abc import Iterable, Sequence

from snakedev.base.text import counted
from snakedev.reports.patches.record import PatchTrialRecord, Verdict

_TILES: dict[Verdict, str] = {
    "clean": "apply cleanly",
    "offsets": "apply with offsets",
    "upstream": "upstream already",
    "conflict": "conflict",
}


def headline(trials: Sequence[PatchTrialRecord]) -> str:
    """The verdict in a sentence or two: the pins first, then the other refs."""
    pins, others = on_pins(trials), _others(trials)
    places = list(dict.fromkeys(trial.place for trial in others))
    told = [
        _told(verdict_counts(pins), None),
        _told(verdict_counts(others), places[0] if len(places) == 1 else "other refs"),
    ]
    return " ".join(filter(None, told)) or "No repo has a patch."


def on_pins(trials: Iterable[PatchTrialRecord]) -> list[PatchTrialRecord]:
    """The trials on pins, which are what a run uses."""
    return [trial for trial in trials if trial.ref is None]


def _others(trials: Iterable[PatchTrialRecord]) -> list[PatchTrialRecord]:
    return [trial for trial in trials if trial.ref is not None]


def verdict_counts(trials: Iterable[PatchTrialRecord]) -> Counter[Verdict]:
    """How many patches fared in which way."""
    return Counter(tried.verdict for trial in trials for tried in trial.patches)


def _told(counts: Counter[Verdict], ref: str | None) -> str:
    """How patches fared on a ref, or on their pins, as a sentence; empty when there are none."""
    total, bad, upstream = counts.total(), counts["conflict"], counts["upstream"]

    def where(count: int) -> str:
        return ref or ("its pin" if count == 1 else "their pins")

    if not total:
        return ""
    if bad:
        return f"{_of(bad, total, 'conflict')} with {where(bad)}."
    if upstream == total:
        return f"{_of(total, total, 'stand')} in {where(total)} already."
    applied = f"{_of(total - upstream, total, 'apply')} to {where(total - upstream)}"
    more = [f"{upstream} upstream already"] if upstream else []
    more += [f"{counts['offsets']} with offsets"] if counts["offsets"] else []
    return f"{', '.join([applied, *more])}."


def _of(count: int, total: int, verb: str) -> str:
    """So many of all patches, and what they do: `2 of 9 patches conflict`."""
    verbs = f"{verb[:-1]}ies" if verb.endswith("y") else f"{verb}s"
    if count == total:
        return f"The one patch {verbs}" if total == 1 else f"All {total} patches {verb}"
    return f"{count} of {total} patches {verbs if count == 1 else verb}"


def verdict(trials: Sequence[PatchTrialRecord]) -> tuple[str, str]:
    """The colour of the verdict (good, warned or failed) and its word."""
    if verdict_counts(on_pins(trials))["conflict"]:
        return "failed", "Conflict."
    counts = verdict_counts(trials)
    if counts["conflict"]:
        return "warned", "Drift."
    return "good", "Clean." if counts["clean"] == counts.total() else "Applies."


def summary(trials: Sequence[PatchTrialRecord]) -> str:
    """What was tried on what."""
    refs: dict[str, list[str]] = {}
    for trial in _others(trials):
        refs.setdefault(trial.repo, []).append(trial.place)
    also = [f"that of {repo} on {' and '.join(places)} too" for repo, places in refs.items()]
    where = ", ".join(["Each series was tried on the pin that a run uses", *also])
    return f"{where}: in its order, every patch on top of those before it that apply."


def tiles(pins: Sequence[PatchTrialRecord]) -> list[tuple[int, str]]:
    """The few numbers that a person looks for first: those of the pins."""
    counts = verdict_counts(pins)
    total = counts.total()
    patches = f"{'patch' if total == 1 else 'patches'} to {counted(len(pins), 'repo')}"
    return [
        (total, patches),
        *((counts[verdict], label) for verdict, label in _TILES.items()),
    ]
