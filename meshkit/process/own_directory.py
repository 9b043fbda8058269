"""
Whether a directory is ours alone, so that nobody else can put other files in the place of those we trust.

It must be a directory and no link, belong to us, and be writable by nobody else; and no directory on the way to it may
be one in which somebody else could rename it. Root may do anything anywhere, so what is root's is as good as ours.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from meshkit.errors import FailedPrecondition

_INITIAL_MAP = ["0", "0", "4294967295"]


class DirectoryNotOurs(FailedPrecondition):
    """Somebody else could change what is in a directory that we trust; the text says which and how."""

    reason = "DIRECTORY_NOT_OURS"

    def __init__(self, path: Path, place: Path, why: str, setting: str) -> None:
        where = "it" if place == path else str(place)
        named = f"{setting} {path}".lstrip()
        super().__init__(f"{named} is not safe from others: {where} {why}; remove it or choose another directory")
        self.path = path
        self.place = place


def check(path: Path, setting: str = "", *, first_process: bool = False) -> None:
    """
    Raise DirectoryNotOurs unless an existing directory is ours alone; FileNotFoundError if there is none.

    The error begins with the setting that named it, if there is one. The first process of a container trusts what was
    mounted for it, see `close_mounts`.
    """
    path = path.absolute()
    for place, why in _weaknesses(path):
        if not (first_process and place != path and _was_mounted(place)):
            raise DirectoryNotOurs(path, place, why, setting)


def close_mounts(path: Path) -> None:
    """
    As the first process of a container, let nobody rename what is not theirs in what was mounted above a path.

    Orchestrators mount directories that everybody may write, without a sticky bit. Root's services have users of their
    own there, and root gives them that bit; another user cannot, but is then the only one in the container.
    """
    for place in path.absolute().parents:
        if place.exists() and _was_mounted(place) and place.stat().st_uid == os.geteuid():
            place.chmod(stat.S_IMODE(place.stat().st_mode) | stat.S_ISVTX)


def is_ours(path: Path) -> bool:
    """Tell whether a directory exists and is ours alone."""
    try:
        check(path)
    except (OSError, DirectoryNotOurs):
        return False
    return True


def _weaknesses(path: Path) -> Iterator[tuple[Path, str]]:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        yield path, "is a link"
    elif not stat.S_ISDIR(found.st_mode):
        yield path, "is not a directory"
    if found.st_uid != os.geteuid():
        yield path, f"belongs to user {found.st_uid}, not to {os.geteuid()}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield path, f"can be written by others (mode {stat.S_IMODE(found.st_mode):04o})"
    for place in _way_to(path):
        if why := _weakness(place.lstat()):
            yield place, why


def _was_mounted(place: Path) -> bool:
    found = place.lstat()
    return place.is_mount() and found.st_uid == 0 and found.st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH


def _way_to(path: Path) -> Iterator[Path]:
    """Yield every directory above a path, and every link that leads there and what is above its target."""
    seen: set[Path] = set()
    waiting = [path.parent]
    while waiting:
        place = waiting.pop()
        for above in (*reversed(place.parents), place):
            if above in seen:
                continue
            seen.add(above)
            yield above
            if above.is_symlink():
                waiting.append(above.parent / above.readlink())


def _weakness(found: os.stat_result) -> str:
    """Return how somebody else could rename what is in a directory, or point a link elsewhere; empty if they cannot."""
    if found.st_uid not in _trusted():
        return f"belongs to user {found.st_uid}"
    if stat.S_ISLNK(found.st_mode) or found.st_mode & stat.S_ISVTX:
        return ""  # with the sticky bit only its owner renames a file
    by_group = found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid())
    return "can be written by others" if by_group or found.st_mode & stat.S_IWOTH else ""


def _trusted() -> set[int]:
    trusted = {0, os.geteuid()}
    if Path("/proc/self/uid_map").read_text().split() != _INITIAL_MAP:
        # In a user namespace whoever has no number in it, as the host's root, shows as this one.
        trusted.add(int(Path("/proc/sys/kernel/overflowuid").read_text()))
    return trusted
