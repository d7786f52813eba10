"""Job: move pins to newer releases, and say what that brings."""

from pathlib import Path

from snakedev.base.errors import UserError
from snakedev.base.job import job
from snakedev.bump.move import bump

if __name__ == "__main__":
    with job("bump", snakemake.log[0]) as running:
        moves = bump(snakemake.config, Path(snakemake.params.project), running)
        if problems := [move.problem for move in moves if move.problem]:
            raise UserError("\n".join(problems))
