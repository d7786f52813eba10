"""Job: end the run as a failure when a check of a smoke run failed."""

from pathlib import Path

from scripts.job import job
from scripts.records import Record
from scripts.smoke_record import SmokeRecord, verdict


class VerdictRecord(Record):
    """That all smoke runs of a key passed."""

    key: str
    passed: tuple[str, ...]


if __name__ == "__main__":
    with job("verdict", snakemake.log[0]) as running:
        records = [SmokeRecord.read(Path(path)) for path in snakemake.input.smoke]
        verdict(records)
        names = tuple(f"{record.variant}/{record.model}" for record in records)
        running.say(f"passed: {', '.join(names)}")
        VerdictRecord(key=snakemake.wildcards.key, passed=names).write(Path(snakemake.output[0]))
