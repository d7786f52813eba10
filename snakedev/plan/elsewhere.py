"""What a plan for other machines must say by itself: they need not be like this one."""

import os
from collections.abc import Iterator

from snakedev.base.errors import UserError
from snakedev.config.model import Config
from snakedev.wheels.variables import PASSED


def refuse_native(config: Config, source: str = "config.yaml") -> None:
    """Raise UserError with a line for each thing that would be this machine's.

    ``source`` names the files that the configuration comes from.
    """
    if lines := [*_keys(config, source), *_variables()]:
        raise UserError("\n".join(lines))


def _keys(config: Config, source: str) -> Iterator[str]:
    other = "and jobs run on others"
    if (cpu := config.variants.cpu) is not None and cpu.isa == "native":
        yield (
            f"{source}: variants.cpu.isa: native is this machine's best, {other}: write all, or "
            f"those of their CPUs, as [avx512]"
        )
    for variant, gfx, example in (("cuda", False, '["9.0"]'), ("rocm", True, "[gfx942]")):
        settings = getattr(config.variants, variant)
        named = any(name.startswith("gfx") == gfx for name in config.smoke.gpus)
        if settings is not None and settings.architectures == "native" and not named:
            yield (
                f"{source}: variants.{variant}.architectures: native is this machine's GPUs, "
                f"{other}: name theirs in smoke.gpus, as {example}, or architectures here"
            )


def _variables() -> Iterator[str]:
    for name in PASSED:
        if (value := os.environ.get(name, "")) and "=native" in value:
            yield (
                f"{name}: '{value}' is for this machine's CPU, and jobs run on others: name "
                f"another, as -march=x86-64-v3"
            )
