"""How much memory there is, and how much of it the server is given."""

from collections.abc import Mapping

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dbinit.cluster import memory_sizes
from services.dbinit.cluster.memory_sizes import limits, sizes

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
    assert 0 < memory_sizes.available_bytes() <= psutil.virtual_memory().total


@given(st.integers(min_value=0, max_value=2**45), st.integers(min_value=20, max_value=10_000))
def test_sizes_fit_the_memory(memory_bytes: int, connections: int) -> None:
    """Every size stays in its bounds; from 512 MB on, cache and upkeep together take less than a quarter."""
    given_sizes = sizes(memory_bytes, connections)

    assert 32 <= given_sizes.shared_buffers_mb <= 256
    assert 8 <= given_sizes.maintenance_work_mb <= 64
    assert 256 <= given_sizes.work_kb <= 4096
    # Three processes clean up at the same time.
    taken_mb = given_sizes.shared_buffers_mb + 3 * given_sizes.maintenance_work_mb
    assert memory_bytes < GB // 2 or taken_mb * 4 * 2**20 <= memory_bytes


@given(st.integers(min_value=0, max_value=2**40), st.integers(min_value=0, max_value=2**40))
def test_more_memory_is_never_less_for_the_server(one: int, other: int) -> None:
    """No size shrinks when the memory grows."""
    less, more = (sizes(size, 1000) for size in sorted((one, other)))

    assert less.shared_buffers_mb <= more.shared_buffers_mb
    assert less.maintenance_work_mb <= more.maintenance_work_mb
    assert less.effective_cache_mb <= more.effective_cache_mb
    assert less.work_kb <= more.work_kb
