"""What vLLM pulls in on an ordinary Python, resolved by the real uv on a small index."""

import pytest

from snakedev.base.errors import UserError
from snakedev.fetch.index_pages import PackageIndex
from snakedev.reports.compat.closure import Dependency, resolve
from tests.unit.package_index import make_wheel, publish

LOCK = "needed==1.0 \\\n    --hash=sha256:00\ntorch==2.11.0 \\\n    --hash=sha256:00\n"


ASKED = [
    "Tool[extra] >= 1",
    'old; python_version < "3.12"',
    "elsewhere==0.6",
    "nowhere>=2",
    "torch==2.11.0",
]


@pytest.fixture
def resolved(index, tmp_path, running):
    """Resolve with what is on the index; again, and offline where asked."""
    lock, wheels = tmp_path / "run-cpu.lock", tmp_path / "wheels"
    lock.write_text(LOCK)
    publish(index, make_wheel(wheels, "left-out", "1.0", ["needed"]))
    publish(index, make_wheel(wheels, "needed", "1.1"))
    publish(index, make_wheel(wheels, "tool", "1.0", ["needed; extra == 'extra'"]))
    publish(index, make_wheel(wheels, "elsewhere", "0.5"))

    def run(**options):
        offline = options.get("offline", False)
        pages = PackageIndex(tmp_path / "pages", running, offline=offline)
        return resolve(ASKED, "cpu", lock, "3.12", pages, running, **options)

    return run


def test_the_closure_names_versions_and_what_asks_for_each(resolved):
    closure = resolved()
    assert dict(closure.packages) == {
        "left-out": Dependency("left-out", "1.0", ("torch",)),
        # the lock's, though the index has 1.1
        "needed": Dependency("needed", "1.0", ("left-out", "tool", "torch")),
        "tool": Dependency("tool", "1.0", ("vllm",)),
        "torch": Dependency("torch", "2.11.0", ("vllm",)),
        "elsewhere": Dependency("elsewhere", "0.6", ("vllm",)),
        "nowhere": Dependency("nowhere", None, ("vllm",)),
    }


def test_offline_the_caches_answer_or_what_they_lack_is_said(resolved, monkeypatch, tmp_path):
    before = resolved()
    assert resolved(offline=True) == before
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another-cache"))
    with pytest.raises(UserError, match=r"^compat_report\.offline: uv's cache lacks"):
        resolved(offline=True)
