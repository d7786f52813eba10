"""`python -m tools.stress [SCENARIO ...]`: many threads on shared vLLM objects without the GIL.

Run from the project after `snakemake env_cpu models`, or by `make stress`, which does that. Exit
status 1 says that there is a finding that docs/findings/ does not describe.
"""

import argparse
import secrets
import sys
from datetime import datetime
from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.store.layout import Layout
from tools.project import current_plan
from tools.stress.record import read_known
from tools.stress.run import FOLDER, PROJECT, SCENARIOS, Request, chosen, stress, summary


def main() -> int:
    """Run what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.stress",
        description=__doc__.partition("\n")[0],
        epilog=f"Scenarios: {', '.join(SCENARIOS)}.",
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="all by default")
    parser.add_argument(
        "--minutes", type=float, default=3, help="of work, without set-ups (default 3)"
    )
    parser.add_argument("--seed", type=int, help="of the schedules; a new one by default")
    parser.add_argument("--environment", type=Path, help="a run environment's folder")
    parser.add_argument("--model", type=Path, help="a folder with a small model that vLLM loads")
    parser.add_argument(
        "--gil", choices=("off", "on"), default="off", help="on: what shows with the GIL, too"
    )
    options = parser.parse_args()
    plan = current_plan()
    layout: Layout = plan.layout
    model = plan.reports.model(plan.config.smoke.models[0])
    request = Request(
        environment=options.environment or layout.environment_view("run-cpu"),
        model=options.model or layout.model(model.name, model.key),
        scenarios=chosen(options.scenarios),
        seed=secrets.randbelow(1 << 32) if options.seed is None else options.seed,
        minutes=options.minutes,
        gil=options.gil == "on",
    )
    if options.minutes <= 0:
        raise UserError(f"--minutes {options.minutes:g}: name a time above 0")
    if not request.model.is_dir():
        raise UserError(
            f"there is no model in {request.model}: make it with `snakemake models`, or name the "
            "folder of one with --model"
        )
    known = read_known(FOLDER / "known.yaml", PROJECT)
    folder = layout.root / "stress" / datetime.now().strftime("%Y%m%d-%H%M%S")
    print(f"seed {request.seed}; logs and record in {folder}", flush=True)
    record = stress(request, known, folder, layout.cache, lambda line: print(line, flush=True))
    record.write(layout.reports / "stress.json")
    print("\n".join(summary(record)))
    return int(record.failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))
