"""Models of the Hugging Face hub: one revision, only the files that vLLM loads.

The hub's own client lists the files and transfers them. Its cache forgets a transfer that a kill
broke off, so the files go into a folder of ours, each through a `.part` file that the next run
goes on with, and every file is checked against the digest that the hub has for it.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, RepoFile, constants, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, disable_progress_bars, filter_repo_objects

from snakedev.base.errors import UserError
from snakedev.base.job import Job
from snakedev.base.retry import retried
from snakedev.config.repos import HubModel
from snakedev.fetch.session import reason, without_addresses

_Result = TypeVar("_Result")
PROJECT_TOKEN = Path("cache/token")
"""A file of the project's folder with a hub token, for those who keep one for each project."""
_NEEDED = ["*.safetensors", "*.json", "*.model", "*.jinja", "*.txt", "*.tiktoken"]
# the same weights in another layout, and those of other programs
_SUPERFLUOUS = ["consolidated*", "original/*", "onnx/*", "coreml/*", "openvino/*", "runs/*"]
_TRIES = 5
_TRANSFERS_AT_ONCE = 4


def fetch_snapshot(name: str, model: HubModel, cache: Path, running: Job) -> Path:
    """The folder below ``cache`` with the needed files of a model's revision, fetched and checked.

    Raises UserError that names the model when the hub has no such revision, does not admit this
    token, or does not answer.
    """
    if constants.HF_HUB_OFFLINE:
        raise UserError(
            f"models.{name}: HF_HUB_OFFLINE is set, and {model.repo} is still to be fetched: unset "
            "it for one run with a network"
        )
    disable_progress_bars()
    token = find_token()
    endpoint = os.environ.get("HF_ENDPOINT") or None
    folder = cache / model.repo.replace("/", "--") / model.revision
    api = HfApi(endpoint=endpoint, token=token or False)

    def ask(request: Callable[[], _Result]) -> _Result:
        return retried(
            request,
            running,
            tries=_TRIES,
            may_pass=_may_pass,
            told=lambda error: f"{model.repo}: {_reason(error)}",
        )

    try:
        files = ask(lambda: _needed(api, model))
        for file in files:
            path = PurePosixPath(file.path)
            if path.is_absolute() or ".." in path.parts:
                raise UserError(
                    f"models.{name}: {model.repo} has a file '{file.path}', which leads out of "
                    "the model's folder: take another model"
                )
        total = sum(file.size for file in files)
        running.say(f"{model.repo}: {len(files)} files, {total / 1e6:.0f} MB")
        headers = build_hf_headers(token=token or False)

        def fetch(file: RepoFile) -> None:
            url = hf_hub_url(model.repo, file.path, revision=model.revision, endpoint=endpoint)
            ask(lambda: _transfer(url, file, folder / file.path, headers))

        with (
            running.telling_size(folder, total),
            ThreadPoolExecutor(_TRANSFERS_AT_ONCE) as pool,
        ):
            list(pool.map(fetch, files))
    except (httpx2.HTTPError, OSError) as error:
        raise UserError(_explained(name, model, token, error)) from None
    except (httpx2.InvalidURL, ImportError, ValueError) as error:
        # a proxy of a kind that the client does not know, or an address that is none
        raise UserError(
            f"models.{name}: the hub cannot be asked ({without_addresses(str(error))}): check "
            "HF_ENDPOINT, HTTPS_PROXY and ALL_PROXY"
        ) from None
    return folder


def find_token() -> str | None:
    """The user's token: HF_TOKEN, the project's cache/token, or the hub client's own file."""
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    if PROJECT_TOKEN.is_file():
        return PROJECT_TOKEN.read_text(encoding="utf-8").strip() or None
    return get_token()


def _needed(api: HfApi, model: HubModel) -> Sequence[RepoFile]:
    entries = api.list_repo_tree(model.repo, revision=model.revision, recursive=True)
    files = [entry for entry in entries if isinstance(entry, RepoFile)]
    return list(
        filter_repo_objects(
            files,
            allow_patterns=_NEEDED,
            ignore_patterns=_SUPERFLUOUS,
            key=lambda file: file.path,
        )
    )


def _transfer(url: str, file: RepoFile, final: Path, headers: dict[str, str]) -> None:
    """Fetch a file behind what an earlier transfer has left; OSError when its digest differs."""
    if final.is_file():
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(final.name + ".part")
    with part.open("ab") as target:
        done = target.tell()
        http_get(url, target, resume_size=done, headers=headers, expected_size=file.size)
    if _differs(part, file):
        part.unlink()
        raise OSError(f"{file.path}: not what the hub announced")
    part.rename(final)


def _differs(path: Path, file: RepoFile) -> bool:
    """Compare with the hub's digest: sha256 of a large file, git's blob id of any other."""
    with path.open("rb") as data:
        if file.lfs is not None:
            return hashlib.file_digest(data, "sha256").hexdigest() != file.lfs.sha256
        blob = hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
        blob.update(data.read())
        return blob.hexdigest() != file.blob_id


def _may_pass(error: BaseException) -> bool:
    """Whether an error may be gone at the next try."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR
    return isinstance(error, httpx2.HTTPError | OSError)


def _reason(error: BaseException) -> str:
    """A failure in few words; addresses may hold secrets, so none is repeated."""
    if isinstance(error, HfHubHTTPError):
        return f"HTTP status {error.response.status_code}"
    return reason(error)


def _explained(name: str, model: HubModel, token: str | None, error: BaseException) -> str:
    """The one line for the person: what was refused, and what would open it."""
    where = f"models.{name}"
    how = (
        "the token that was found does not open it: check HF_TOKEN or cache/token"
        if token
        else "no token was found: put one into HF_TOKEN or cache/token"
    )
    if isinstance(error, GatedRepoError):
        return f"{where}: {model.repo} is gated: accept its terms on the hub; {how}"
    if isinstance(error, RevisionNotFoundError):
        return f"{where}.revision: {model.repo} has no revision {model.revision}"
    if isinstance(error, RepositoryNotFoundError):
        return f"{where}.repo: the hub has no {model.repo}, or it is private: {how}"
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return f"{where}: the hub refused {model.repo}: {how}"
    return (
        f"{where}: the hub did not give {model.repo} after {_TRIES} tries ({_reason(error)}): "
        "check the network and HF_ENDPOINT; what was fetched is kept"
    )
