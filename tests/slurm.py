"""Slurm on this machine: munge, slurmctld and two slurmd from Debian's packages, on loopback.

Node n1 is this machine; n2 has a hostname and mounts of its own, no name server, and a GPU that is
none. There is no accounting (slurmdbd). It needs root, since Slurm reads /etc/slurm alone.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("munge", "slurmctld", "slurmd", "slurm-client")
_ETC = Path("/etc/slurm")
_CONF = """ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={run}/munge.sock
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmctldPort=16817
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={run}/slurmctld.pid
SlurmdPidFile={run}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
MinJobAge=300
SchedulerParameters=sched_interval=2,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
GresTypes=gpu
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port=17001 CPUs=4 RealMemory=64000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port=17002 CPUs=4 RealMemory=64000 \
Gres=gpu:h100:1
PartitionName=build Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""
_N2 = """hostname n2
mount --bind /dev/null /etc/resolv.conf
mount --bind {hosts} /etc/hosts
exec slurmd -N n2
"""


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Have both nodes up; what was in /etc/slurm is there again afterwards."""
    if shutil.which("slurmctld") is None:
        subprocess.run(["apt-get", "update", "-q"], check=True)
        install = ["apt-get", "install", "-q", "-y", "--no-install-recommends"]
        subprocess.run([*install, *PACKAGES], check=True)
    run = folder / "run"
    for made in (run, folder / "state", folder / "spool-n1", folder / "spool-n2"):
        made.mkdir(parents=True)
    run.chmod(0o700)
    kept = {path: path.read_bytes() for path in _ETC.glob("*.conf")}
    _ETC.mkdir(exist_ok=True)
    conf = _CONF.format(host=socket.gethostname(), folder=folder, run=run)
    (_ETC / "slurm.conf").write_text(conf, encoding="utf-8")
    gres = "NodeName=n2 Name=gpu Type=h100 File=/dev/null\n"
    (_ETC / "gres.conf").write_text(gres, encoding="utf-8")
    key = run / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    try:
        munge = [f"--{name}={run}/munge.{end}" for name, end in _MUNGE]
        subprocess.run(["munged", "--force", *munge], check=True)
        subprocess.run(["slurmctld"], check=True)
        subprocess.run(["slurmd", "-N", "n1"], check=True)
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost n2 {socket.gethostname()}\n", encoding="utf-8")
        begin = ["sh", "-c", _N2.format(hosts=hosts)]
        subprocess.run(["unshare", "--mount", "--uts", *begin], check=True)
        _wait_for_nodes()
        yield
    finally:
        for name in ("slurmd-n1", "slurmd-n2", "slurmctld", "munge"):
            _end(run / f"{name}.pid")
        for path in _ETC.glob("*.conf"):
            path.unlink()
        for path, data in kept.items():
            path.write_bytes(data)


_MUNGE = (
    ("socket", "sock"),
    ("key-file", "key"),
    ("log-file", "log"),
    ("pid-file", "pid"),
    ("seed-file", "seed"),
)


def jobs() -> list[dict[str, str]]:
    """What Slurm knows of all jobs: each one's fields, as `scontrol` shows them."""
    shown = subprocess.run(
        ["scontrol", "-o", "show", "jobs"], check=True, capture_output=True, text=True
    ).stdout
    return [
        dict(word.split("=", 1) for word in line.split() if "=" in word)
        for line in shown.splitlines()
        if line.startswith("JobId=")
    ]


def _wait_for_nodes() -> None:
    deadline = time.monotonic() + 60
    while True:
        asked = ["sinfo", "-h", "-N", "-o", "%N %t"]
        said = subprocess.run(asked, capture_output=True, text=True).stdout
        if sorted(said.split("\n")[:2]) == ["n1 idle", "n2 idle"]:
            return
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


def _end(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), 15)
    except (OSError, ValueError):
        return
    deadline = time.monotonic() + 10
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
