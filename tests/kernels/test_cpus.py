"""Quotas of control groups, as Linux writes them."""

import pytest

from trainkit.kernels.cpus import cpu_quota
from trainkit.kernels.parallel import _threads


def system(root, groups, **files):
    """A root with the groups of a process and files by their place below the groups' folder."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, content in files.items():
        file = root / "sys/fs/cgroup" / name.replace("__", "/").replace("_max", ".max")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


@pytest.mark.parametrize(
    ("content", "expected"),
    [("200000 100000\n", 2), ("150000 100000\n", 2), ("5000 100000\n", 1), ("max 100000\n", None), ("", None)],
)
def test_version_2(tmp_path, content, expected):
    assert cpu_quota(system(tmp_path, "0::/\n", cpu_max=content)) == expected


def test_the_least_of_the_groups_around_counts(tmp_path):
    root = system(
        tmp_path, "0::/pod/job\n", pod__job__cpu_max="max 100000", pod__cpu_max="300000 100000", cpu_max="800000 100000"
    )
    assert cpu_quota(root) == 3


def test_a_group_by_its_name_outside_the_container(tmp_path):
    assert cpu_quota(system(tmp_path, "0::/../../docker/abc\n", cpu_max="400000 100000")) == 4


@pytest.mark.parametrize(("quota", "expected"), [("250000", 3), ("-1", None), ("nonsense", None)])
@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_version_1(tmp_path, folder, quota, expected):
    root = system(tmp_path, "9:memory:/x\n4:cpu,cpuacct:/x\n0::/\n")
    group = root / "sys/fs/cgroup" / folder / "x"
    group.mkdir(parents=True)
    (group / "cpu.cfs_quota_us").write_text(quota)
    (group / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_quota(root) == expected


def test_no_control_groups(tmp_path):
    assert cpu_quota(tmp_path) is None


@pytest.mark.parametrize(
    ("asked", "quota", "expected"),
    [("", None, 8), ("", 2, 2), ("", 64, 8), ("3", 2, 3), ("64", 2, 8), ("0", 2, 2), ("many", None, 8)],
)
def test_the_number_of_threads_to_begin_with(asked, quota, expected):
    """More than the quota may be asked for, more than the CPUs may not."""
    assert _threads(asked, quota, 8) == expected
