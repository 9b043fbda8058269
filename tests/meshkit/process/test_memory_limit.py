"""How much memory there is."""

from collections.abc import Mapping

import psutil
import pytest

from meshkit.process import memory_limit
from meshkit.process.memory_limit import limits

GB = 2**30
V2 = "25 20 0:22 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "24 20 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "30 24 0:27 {root} /sys/fs/cgroup/memory rw,nosuid shared:11 - cgroup cgroup rw,memory\n"
    "31 24 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
)


def found(memberships: str, mounts: str, files: Mapping[str, str]) -> list[int]:
    """Return the limits on a machine with these files."""
    return list(limits(memberships, mounts, lambda path: files.get(str(path))))


def test_container_of_version_2() -> None:
    """Where a container sees its own group as the mount, the mount's file is the limit."""
    assert [GB] == found("0::/\n", V2, {"/sys/fs/cgroup/memory.max": f"{GB}\n"})


def test_groups_above_count_as_well() -> None:
    """On a host the limit of a group above ours is found, and `max` is none."""
    files = {
        "/sys/fs/cgroup/system.slice/mesh.service/memory.max": "max\n",
        "/sys/fs/cgroup/system.slice/memory.max": f"{2 * GB}\n",
    }

    assert [2 * GB] == found("0::/system.slice/mesh.service\n", V2, files)


def test_version_1_on_a_host() -> None:
    """Version 1 has the limit in the memory controller's own tree, at our group and above."""
    files = {
        "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": f"{3 * GB}\n",
        "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": f"{2 * GB}\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "/sys/fs/cgroup/cpu/a/b/memory.limit_in_bytes": "1\n",
    }

    assert [3 * GB, 2 * GB, 9223372036854771712] == found(
        "4:memory:/a/b\n2:cpu,cpuacct:/\n0::/\n", V1.format(root="/"), files
    )


@pytest.mark.parametrize(("root", "group"), [("/docker/1", "/docker/1"), ("/", "/docker/1"), ("/x", "/../other")])
def test_version_1_in_a_container(root: str, group: str) -> None:
    """In a container the mount is our group, however much of the host's path is shown."""
    files = {"/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}\n"}

    assert [GB] == found(f"4:memory:{group}\n", V1.format(root=root), files)


def test_no_control_groups() -> None:
    """Without control groups there is no limit."""
    assert [] == found("", "20 1 8:1 / / rw - ext4 /dev/root rw\n", {})


def test_never_more_than_the_machine_has() -> None:
    """On this machine the result is positive and at most its memory."""
    assert 0 < memory_limit.available_bytes() <= psutil.virtual_memory().total
