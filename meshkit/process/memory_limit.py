"""How much memory we may count on: the machine's, or what the control groups around us leave of it."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath


def available_bytes() -> int:
    """Return the memory of the machine, or the least limit of the control groups we are in, whichever is less."""
    own = Path("/proc/self")
    return min([_total(), *limits(_read(own / "cgroup") or "", _read(own / "mountinfo") or "", _read)])


def _total() -> int:
    # Not by psutil: its import takes as long as half of the plan that wants to know.
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))


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


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
