"""How many jobs run at once: cores, memory, and what control groups leave of both."""

import os
from pathlib import Path

import pytest

from snakedev.base.capacity import (
    available_cores,
    available_memory_gb,
    parallel_jobs,
    total_memory,
)

GB = 10**9
HOST = "MemTotal: 64000000 kB\nMemFree: 1 kB\nMemAvailable: 50000000 kB\n"
V2 = "31 24 0:27 / {place} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
NSFS = "99 24 0:4 mnt:[4026532176] /run/ns/mnt rw - nsfs nsfs rw\n"


def machine(
    root: Path, groups: str, mounts: str, files: dict[str, str | int], place: str = "sys/fs/cgroup"
) -> Path:
    """A root with a process's groups, and files of theirs below a place."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(HOST)
    (root / "proc/self/cgroup").write_text(groups)
    (root / "proc/self/mountinfo").write_text(mounts)
    for name, text in files.items():
        file = root / place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


def v2(root: Path, group: str, files: dict[str, str | int], mounts: str = V2) -> Path:
    return machine(root, f"0::{group}\n", mounts.format(place="/sys/fs/cgroup"), files)


def v1(root: Path, group: str, files: dict[str, str | int], base: str = "/") -> Path:
    """Version 1 with an empty version 2 beside it, as systemd mounts them both."""
    groups = f"12:cpu,cpuacct:{group}\n4:memory:{group}\n1:name=systemd:/\n0::/\n"
    mounts = NSFS + V2.format(place="/sys/fs/cgroup/unified")
    for names in ("memory", "cpu,cpuacct"):
        mounts += f"33 31 0:30 {base} /sys/fs/cgroup/{names} rw - cgroup cgroup rw,{names}\n"
    return machine(root, groups, mounts, files)


def test_without_limits_the_kernel_s_estimate_counts(tmp_path: Path) -> None:
    for root in (
        machine(tmp_path / "none", "", "", {}),
        v2(tmp_path / "v2", "/a", {"a/memory.max": "max", "a/cpu.max": "max 100000"}),
        v1(
            tmp_path / "v1",
            "/a",
            {
                "memory/a/memory.limit_in_bytes": 9223372036854771712,
                "memory/a/memory.usage_in_bytes": 10 * GB,
                "cpu,cpuacct/a/cpu.cfs_quota_us": -1,
                "cpu,cpuacct/a/cpu.cfs_period_us": 100000,
            },
        ),
    ):
        assert available_memory_gb(root) == pytest.approx(51.2)
        assert total_memory(root) == 64_000_000 * 1024
        assert parallel_jobs(16, 2.5, root) == 16


@pytest.mark.parametrize(
    ("files", "memory", "jobs"),
    [
        # its own group's, and that of one above it: the least counts
        ({"a/b/memory.max": 4 * GB, "a/b/memory.current": 0}, 4, 1),
        ({"a/memory.max": 6 * GB, "a/b/memory.max": "max"}, 6, 2),
        ({"a/memory.max": 6 * GB, "a/b/memory.max": 20 * GB}, 6, 2),
        # beside what is in use, without the page cache that can go
        ({"a/memory.max": 20 * GB, "a/memory.current": 12 * GB}, 8, 3),
        (
            {
                "a/b/memory.max": 20 * GB,
                "a/b/memory.current": 12 * GB,
                "a/b/memory.stat": f"anon 1\nfile {9 * GB}\ninactive_file {7 * GB}\n",
            },
            15,
            6,
        ),
        ({"a/memory.max": 4 * GB, "a/memory.current": 5 * GB}, 0, 1),
        ({"a/b/memory.high": 10 * GB, "a/b/memory.max": "max"}, 10, 4),
        # of another group
        ({"memory.max": "max", "c/memory.max": 1 * GB}, 51.2, 16),
    ],
)
def test_nested_limits_of_memory(
    tmp_path: Path, files: dict[str, str | int], memory: float, jobs: int
) -> None:
    root = v2(tmp_path, "/a/b", files, NSFS + V2)
    assert available_memory_gb(root) == pytest.approx(memory)
    assert parallel_jobs(16, 2.5, root) == jobs


def test_version_1_has_the_same(tmp_path: Path) -> None:
    root = v1(
        tmp_path,
        "/slurm/job_7",
        {
            "memory/slurm/memory.limit_in_bytes": 9223372036854771712,
            "memory/slurm/job_7/memory.limit_in_bytes": 20 * GB,
            "memory/slurm/job_7/memory.usage_in_bytes": 12 * GB,
            "memory/slurm/job_7/memory.stat": f"inactive_file 5\ntotal_inactive_file {2 * GB}",
            "cpu,cpuacct/slurm/cpu.cfs_quota_us": 350000,
            "cpu,cpuacct/slurm/cpu.cfs_period_us": 100000,
        },
    )
    assert available_memory_gb(root) == pytest.approx(10)
    assert total_memory(root) == 20 * GB
    assert parallel_jobs(16, 1, root) == 4


@pytest.mark.parametrize(("base", "group"), [("/docker/c1", "/docker/c1"), ("/docker/c1", "/")])
def test_a_container_that_sees_its_own_group_as_the_top(
    tmp_path: Path, base: str, group: str
) -> None:
    files = {"memory/memory.limit_in_bytes": 5 * GB, "memory/memory.usage_in_bytes": 1 * GB}
    assert available_memory_gb(v1(tmp_path, group, files, base)) == pytest.approx(4)


def test_a_group_outside_of_what_is_seen(tmp_path: Path) -> None:
    root = v2(tmp_path, "/../../other", {"memory.max": 3 * GB})
    assert available_memory_gb(root) == pytest.approx(3)


def test_a_path_with_a_space(tmp_path: Path) -> None:
    mounts = V2.format(place="/sys/fs/my\\040groups")
    files = {"a b:c/memory.max": 3 * GB}
    root = machine(tmp_path, "0::/a b:c\n", mounts, files, "sys/fs/my groups")
    assert available_memory_gb(root) == pytest.approx(3)


@pytest.mark.parametrize(
    ("own", "above", "jobs"),
    [
        ("max 100000", "max 100000", 16),
        ("200000 100000", "max 100000", 2),
        ("max 100000", "150000 100000", 2),  # a part of a core counts as one
        ("50000 100000", "400000 100000", 1),
        ("", "", 16),
    ],
)
def test_quotas_of_processor_time(tmp_path: Path, own: str, above: str, jobs: int) -> None:
    root = v2(tmp_path, "/a/b", {"a/b/cpu.max": own, "a/cpu.max": above})
    assert parallel_jobs(16, 0.1, root) == jobs


def test_this_machine_has_something() -> None:
    assert 1 <= available_cores() <= len(os.sched_getaffinity(0))
    assert 0 < available_memory_gb() <= total_memory() / 1e9
    assert parallel_jobs(1, 1e-6) == 1
    assert parallel_jobs(1000, available_memory_gb() / 2.5) in (1, 2, 3)


def test_there_is_always_one_job() -> None:
    assert parallel_jobs(8, 1e6) == 1
    assert parallel_jobs(1, 1e6) == 1


def test_what_slurm_gave_counts_though_no_group_holds_a_job_to_it(tmp_path, monkeypatch):
    root = machine(tmp_path, "", "", {})
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "64")
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "2048")
    assert total_memory(root) == 3 * 2**31
    assert available_memory_gb(root) == pytest.approx(3 * 2**31 / GB)
    assert parallel_jobs(16, 2.0, root) == 3 and parallel_jobs(16, 3.0, root) == 2
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "1024")
    assert total_memory(root) == 2**30
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")  # all that the node has
    monkeypatch.delenv("SLURM_MEM_PER_CPU")
    assert available_memory_gb(root) == 51.2


def test_a_job_keeps_to_the_memory_that_it_was_given(tmp_path):
    root = machine(tmp_path, "", "", {})
    assert parallel_jobs(16, 2.5, root, given_gb=11) == 4
    assert parallel_jobs(16, 2.5, root, given_gb=1) == 1
