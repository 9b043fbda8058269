"""How much memory we may count on, and how much of it the server is given."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sizes:
    """The server's settings that depend on the machine, in MB, `work_kb` in kB."""

    shared_buffers_mb: int
    maintenance_work_mb: int
    effective_cache_mb: int
    work_kb: int


def sizes(memory_bytes: int, max_connections: int) -> Sizes:
    """
    Return the sizes for so much memory.

    The page cache is 1/32 of it, from 32 to 256 MB: a node's database is some tens of MB, the kernel caches its files
    as well, and most of a host's memory is the nodes' own. Sorting by every connection at once takes at most a quarter.
    """
    return Sizes(
        shared_buffers_mb=_within(32, memory_bytes // 32 // _MB, 256),
        maintenance_work_mb=_within(8, memory_bytes // 128 // _MB, 64),
        effective_cache_mb=_within(64, memory_bytes // 4 // _MB, 4096),
        work_kb=_within(256, memory_bytes // 4 // max_connections // 1024, 4096),
    )


def available_bytes() -> int:
    """Return the memory of the machine, or the least limit of the control groups we are in, whichever is less."""
    total: int = psutil.virtual_memory().total
    own = Path("/proc/self")
    return min([total, *limits(_read(own / "cgroup") or "", _read(own / "mountinfo") or "", _read)])


def limits(memberships: str, mounts: str, read: Callable[[Path], str | None]) -> Iterator[int]:
    """
    Yield every memory limit that holds for us, in bytes.

    `memberships` and `mounts` are /proc/self/cgroup and /proc/self/mountinfo (see cgroups(7) and proc(5)); `read` gives
    a file's text or None. Version 2 of control groups and version 1 may both be mounted; a limit of any group above
    ours counts as well. Where the groups above are hidden, as in most containers, the mount itself is our group.
    """
    groups = {name: PurePosixPath(path) for names, path in _memberships(memberships) for name in names.split(",")}
    for kind, root, directory in _memory_mounts(mounts):
        group, file = ("", "memory.max") if kind == "cgroup2" else ("memory", "memory.limit_in_bytes")
        path = groups.get(group)
        below = path.relative_to(root) if path is not None and path.is_relative_to(root) else PurePosixPath()
        if ".." in below.parts:
            below = PurePosixPath()
        for level in (below, *below.parents):
            text = (read(directory / level / file) or "").strip()
            if text.isdecimal():  # `max`, or no file at all in the topmost group, is no limit
                yield int(text)


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        yield names, path


def _memory_mounts(text: str) -> Iterator[tuple[str, PurePosixPath, Path]]:
    for line in text.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            _, _, _, root, directory, *_ = fields.split(" ")
            yield kind, PurePosixPath(root), Path(directory)


def _within(least: int, value: int, most: int) -> int:
    return max(least, min(most, value))


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
