"""Whether a machine is one that a job was planned for."""

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from snakedev.base.cpu import CPU_ISAS
from snakedev.base.errors import UserError
from snakedev.machine.gpu_architectures import runs_on
from snakedev.machine.probe import Machine, here

_VENDORS = {"cuda": ("nvidia", "NVIDIA"), "rocm": ("amd", "AMD")}


def unfit(
    machine: Machine,
    variant: str,
    built_for: Callable[[], Sequence[str]],
    *,
    how: str = "built",
    where: str = "this machine",
    without: str | None = None,
) -> str | None:
    """Why a machine cannot run a variant; None where it can.

    ``built_for`` gives the variant's GPU architectures, and ``how`` says how it is for them;
    ``where`` is what the machine is called, and ``without`` what is said of one without such a GPU,
    `{name}` being its vendor.
    """
    if variant == "cpu":
        return None
    vendor, name = _VENDORS[variant]
    gpus = [gpu for gpu in machine.gpus if gpu.vendor == vendor]
    if not gpus:
        return (without or f"{where} has no {{name}} GPU that answers").format(name=name)
    if any(runs_on(built_for(), gpu.architecture) for gpu in gpus):
        return None
    there = ", ".join(f"{gpu.name} ({gpu.architecture})" for gpu in gpus)
    return f"it is {how} for {', '.join(built_for())}, and {where} has {there}"


def require(path: Path, head: Path, variant: str, built_for: Sequence[str]) -> None:
    """Raise UserError where a job that runs a variant came to a machine that cannot.

    ``built_for`` are GPU architectures, or instruction sets of the cpu variant; ``path`` and
    ``head`` are as `here` takes them.
    """
    machine, host = here(path, head), socket.gethostname()
    why = unfit(machine, variant, lambda: built_for, where=host)
    if variant == "cpu":
        has = CPU_ISAS[: CPU_ISAS.index(machine.isa) + 1] if machine.isa in CPU_ISAS else ()
        if not {*has} & {*built_for}:
            why = f"it is built for {' and '.join(built_for)}, and {host} has {machine.isa}"
    if why:
        raise UserError(f"{variant} cannot run here: {why}")


def refuse_others(planned: Mapping[str, str], machine: Machine, host: str) -> None:
    """Raise UserError with a line for each compiler, and the C library, that was not planned for.

    ``planned`` are identities by tool, as keys have them; one that is none of the machine's tools
    is left alone.
    """
    there = {tool: found.identity for tool, found in machine.tools.items()} | {"libc": machine.libc}
    lines = [
        f"planned for {_short(identity)}, and {host} has {_short(there.get(tool, 'none'))}: have "
        f"the same on all machines, or plan where those that build are"
        for tool, identity in planned.items()
        if tool != "cuda" and there.get(tool) != identity
    ]
    if lines:
        raise UserError("\n".join(dict.fromkeys(lines)))


def _short(identity: str) -> str:
    """An identity in a line: Rust's has several."""
    return identity.partition("\n")[0]
