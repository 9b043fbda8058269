"""How much of the memory the server is given."""

from dataclasses import dataclass

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


def _within(least: int, value: int, most: int) -> int:
    return max(least, min(most, value))
