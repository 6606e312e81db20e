"""How many CPUs a container lets its processes use: fewer, often, than it shows them.

A container with a quota (`docker --cpus=2`, a limit in Kubernetes) sees every CPU of its machine. Whoever starts a
thread for each uses the quota up at once, and all of them stand still until the next period.
"""

import math
from pathlib import Path

__all__ = ["cpu_quota"]


def cpu_quota(root: Path = Path("/")) -> int | None:
    """The CPUs that the control groups of this process may use, rounded up; None where there is no limit.

    Reads Linux's control groups of both versions below a root. A group's limit holds for all groups in it.

    Source: https://docs.kernel.org/admin-guide/cgroup-v2.html and
    https://docs.kernel.org/scheduler/sched-bwc.html.
    """
    limits = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0":
            folder, read = root / "sys/fs/cgroup", _second
        elif "cpu" in controllers.split(","):
            folder, read = root / "sys/fs/cgroup" / controllers, _first
            if not folder.is_dir():
                folder = root / "sys/fs/cgroup/cpu"
        else:
            continue
        # In a container the group's name may be that outside it, whose folders are not there; its own limit is above.
        inside = folder / group.lstrip("/")
        limits += [read(place) for place in (inside, *inside.parents) if place.is_relative_to(folder)]
    least = min(limits, default=math.inf)
    return None if math.isinf(least) else max(1, math.ceil(least))


def _second(group: Path) -> float:
    """The limit of a group of version 2: "200000 100000" are two CPUs, "max 100000" is none."""
    quota, _, period = _text(group / "cpu.max").strip().partition(" ")
    return _share(quota, period)


def _first(group: Path) -> float:
    """The limit of a group of version 1, where -1 is none."""
    return _share(_text(group / "cpu.cfs_quota_us").strip(), _text(group / "cpu.cfs_period_us").strip())


def _share(quota: str, period: str) -> float:
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else math.inf


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
