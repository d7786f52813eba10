"""wheel.json: what a wheel is, and how it was made."""

from pathlib import Path

from snakedev.base.digests import file_sha256
from snakedev.base.records import Record
from snakedev.sources.source import PublicPin
from snakedev.store.publish import refuse_damaged
from snakedev.wheels.upstream_kernels import BorrowedKernels


class WheelPatch(Record):
    """A patch that is in a wheel."""

    name: str
    subject: str


class WheelRecord(Record):
    """wheel.json: what a wheel is and how it was made."""

    key: str
    repo: str
    variant: str
    version: str
    file: str
    sha256: str
    size: int
    tags: tuple[str, ...]
    requires: tuple[str, ...]
    origin: str
    pin: PublicPin
    patches: tuple[WheelPatch, ...]
    recipe: str
    recipe_number: int
    settings: dict[str, str]
    passed: dict[str, str]
    needs: dict[str, str]
    """Keys of the sources that the build took in."""
    without: dict[str, str]
    """Repos that it could have taken in and did not, with the reason."""
    compilers: dict[str, str]
    interpreter: dict[str, str]
    environment: str
    network: str
    """`none` when the build ran in an empty network namespace, else `open`."""
    paths: str
    """`fixed` when the build saw its folders where every build does, else `real`."""
    borrowed: BorrowedKernels | None = None
    """The kernels that were not compiled but taken from a finished wheel."""
    gil: dict[str, str]
    """For each extension: `off`, `on`, `library` for one that is no Python module, or `unknown`
    where it imports a package that its build has no use for."""
    device_code: dict[str, tuple[str, ...]]
    """For each extension with code for GPUs: binaries (`sm_90a`, `gfx90a`), PTX (`compute_80`)."""
    instrumented: dict[str, bool] = {}
    """With a sanitizer: for each extension, whether it was compiled with it."""
    built: str
    """When, in UTC."""
    seconds: float


def sound_wheel(folder: Path, record: WheelRecord) -> Path:
    """The wheel in a folder of the store, which is still what its record says.

    Raises UserError, and takes it out of the store, where it is not.
    """
    wheel = folder / record.file
    if file_sha256(wheel) != record.sha256:
        refuse_damaged(folder, record.file)
    return wheel
