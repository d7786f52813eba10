"""The types of single values in config.yaml, and what a wrong one is told."""

import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from types import NoneType
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from snakedev.base.cpu import CPU_ISAS
from snakedev.machine.gpu_architectures import checked
from snakedev.machine.gpu_names import (
    CUDA_ARCHITECTURES,
    ROCM_GPUS,
    cuda_meant,
    rocm_meant,
)

# What a value must look like, for the error line of a pattern that did not match.
PATTERNS = {
    r"^[0-9a-f]{40}$": "a full git commit: 40 hex digits, lower case",
    r"^[0-9a-f]{64}$": "a sha256: 64 hex digits, lower case",
    r"^[a-z0-9][a-z0-9.-]*$": "a name of lower-case letters, digits, dots and hyphens",
    r"^[^/\s]+/[^/\s]+$": "a hub repo such as 'owner/name'",
    r"^[/~$]": "a whole path, which begins with /, ~ or a variable such as $TMPDIR",
    r"^[a-z]+$": "a suite of Debian such as 'trixie'",
    r"^[a-z0-9][a-z0-9.+-]+$": "the name of a Debian package such as 'libc6'",
    r"^3\.\d+$": "a Python version such as '3.14'",
    r"^[A-Za-z_]\w*$": "the name of a function",
    r"^[^\s~^:?*\[\\-][^\s~^:?*\[\\]*$": "a git branch, tag or full commit, such as 'main'",
}


class Section(BaseModel):
    """A mapping of config.yaml; an unknown key is an error, one without a value is not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: object) -> object:
        if values is None:
            return {}
        if not isinstance(values, Mapping):
            return values
        fields = cls.model_fields
        return {
            key: value
            for key, value in values.items()
            if value is not None
            or key not in fields
            or NoneType in get_args(fields[key].annotation)
        }


def with_settings(value: object) -> object:
    """Refuse a variant that is named and has no settings: it may stand for all of them or none."""
    if value is None:
        raise ValueError("nothing stands there: write {} for its defaults, or take the key out")
    return value


def a_folder(path: Path) -> Path:
    """Refuse an empty path, which would stand for the working folder."""
    if path == Path():
        raise ValueError("not a folder: name one, or null for results/")
    return path


def is_none(value: object) -> bool:
    """Whether a field is left out where it is dumped."""
    return value is None


def comma_separated(value: object) -> object:
    """A list that was given as words with commas between, as `--config work=vllm` gives it."""
    if not isinstance(value, str):
        return value
    return [word.strip() for word in value.split(",") if word.strip()]


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if not value or path.is_absolute() or ".." in path.parts:
        raise ValueError("not a relative path inside the source")
    return value


def expanded(path: str) -> str:
    """A path with the home folder that `~` stands for."""
    whole = os.path.expanduser(path)
    if path.startswith("~") and whole == path:
        raise ValueError("there is no user of that name, whose home folder ~ would be")
    return whole


def _expanded_path(path: Path) -> Path:
    return Path(expanded(str(path)))


def _whole_path(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("not a whole path: let it begin with / or ~")
    return path


def _remote_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in REMOTE_SCHEMES:
        offered = ", ".join(f"{scheme}://" for scheme in REMOTE_SCHEMES)
        raise ValueError(f"not a store's URL: let it begin with {offered}")
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise ValueError("not a whole path: write file:///folder")
    if parts.scheme != "file" and not parts.hostname:
        raise ValueError(f"it names no bucket or host: write {parts.scheme}://NAME/folder")
    if parts.username or parts.password or parts.query:
        raise PydanticCustomError(SECRET, "credentials come from the environment, not from the URL")
    return url


def _cache_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        raise ValueError("builds have no network: write file:/folder or redis://host:port")
    if parts.username or parts.password:
        raise PydanticCustomError(SECRET, "a server with a password is none that builds can use")
    local = parts.scheme in ("file", "redis+unix") and not parts.netloc and parts.path[:1] == "/"
    if not (local or (parts.scheme == "redis" and parts.hostname)):
        raise ValueError("write file:/folder, redis://host:port or redis+unix:/socket")
    return url


def _known_isa(value: object) -> object:
    listed = isinstance(value, list | tuple) and all(isa in CPU_ISAS for isa in value) and value
    if value in ("native", "all") or listed:
        return value
    raise ValueError(f"not native, all, or a list of {', '.join(CPU_ISAS)}")


def _offered(spellings: Sequence[str]) -> Any:
    """What has an editor offer these spellings for a text."""
    return Field(json_schema_extra={"enum": [*spellings]})


def _gpu(value: object) -> object:
    """A GPU by what its driver calls its architecture: a compute capability, or AMD's name.

    YAML makes a number of an unquoted 9.0. Raises ValueError for another spelling.
    """
    text = str(value) if isinstance(value, str | float) else ""
    if re.fullmatch(r"\d+\.\d|gfx[0-9a-f]+", text):
        return text
    cuda, rocm = cuda_meant(text), rocm_meant(text)
    meant = cuda.rstrip("af") if cuda else rocm
    raise ValueError(
        f'write "{meant}" for {text}'
        if meant
        else "not a GPU's compute capability, as \"9.0\" for H100, nor AMD's name of its "
        "architecture, as gfx942 for MI300"
    )


SECRET = "secret"
"""The kind of a complaint that does not show what was found."""
REMOTE_SCHEMES = ("s3", "gs", "az", "https", "file")
NEWEST = "newest"
"""Where a pin is moved that is to have the newest release."""
Origin = Literal["release", "git"]
Variant = Literal["cpu", "cuda", "rocm"]
Purpose = Literal["tool", "build", "run", "test"]
"""What a lock is for, and so an environment."""
VARIANTS: tuple[Variant, ...] = get_args(Variant)
Kernels = Literal["source", "upstream"]
Sanitizer = Literal["thread"]
BenchPart = Literal["threads", "import", "offline", "server"]
BenchLoad = Literal["single", "short", "structured", "embeddings", "images"]
Count = Annotated[int, Field(ge=1)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# What git allows in the name of a branch or tag, near enough; none can pass for an option.
GitRef = Annotated[str, StringConstraints(pattern=r"^[^\s~^:?*\[\\-][^\s~^:?*\[\\]*$")]
Subdirectory = Annotated[str, AfterValidator(_inside)]
RemoteUrl = Annotated[str, AfterValidator(_remote_url)]
CacheUrl = Annotated[str, AfterValidator(_cache_url)]
HomePath = Annotated[Path, AfterValidator(_expanded_path)]
GitUrl = Annotated[str, StringConstraints(min_length=1), AfterValidator(expanded)]
BuildTrees = Annotated[str, StringConstraints(pattern=r"^[/~$]")]
Toolkit = Annotated[HomePath, AfterValidator(_whole_path)]
Isa = Annotated[
    Literal["native", "all"] | tuple[Literal["avx2", "avx512", "amx"], ...],
    BeforeValidator(_known_isa),
]
CudaArchitectures = Annotated[
    Literal["native"] | tuple[Annotated[str, _offered(CUDA_ARCHITECTURES)], ...],
    BeforeValidator(partial(checked, "cuda")),
]
GpuName = Annotated[str, BeforeValidator(_gpu)]
RocmArchitectures = Annotated[
    Literal["native"] | tuple[Annotated[str, _offered(tuple(ROCM_GPUS))], ...],
    BeforeValidator(partial(checked, "rocm")),
]
