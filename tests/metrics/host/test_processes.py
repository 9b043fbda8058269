"""Reading real processes."""

import os

from services.metrics.host.processes import read
from services.metrics.snapshot import ProcessReading
from tests.metrics.fakes import child

MEBIBYTE = 1024 * 1024


def readings(roots: dict[int, str]) -> dict[int, ProcessReading]:
    """Return the readings by pid."""
    return {reading.pid: reading for _, reading in read(roots)}


def test_children_belong_to_their_service() -> None:
    """A service's process and its children are all found under its name."""
    with child(children=2) as process:
        found = {reading.pid: service for service, reading in read({process.pid: "svc"})}

        assert found == dict.fromkeys([process.pid, *process.children], "svc")


def test_memory_in_use_is_seen() -> None:
    """A process that fills 64 MiB has at least these resident."""
    with child(ballast_bytes=64 * MEBIBYTE) as process:
        assert readings({process.pid: "svc"})[process.pid].resident_bytes >= 64 * MEBIBYTE


def test_cpu_time_in_use_is_seen() -> None:
    """A process that uses 0.3 s of CPU has used at least these, to a kernel's tick."""
    with child() as process:
        before = readings({process.pid: "svc"})[process.pid]
        process.burn(0.3)
        after = readings({process.pid: "svc"})[process.pid]

        assert after.cpu_s - before.cpu_s >= 0.28
        assert (after.pid, after.started_s) == (before.pid, before.started_s)


def test_dead_process_is_left_out() -> None:
    """A pid that is no longer in use is no error."""
    with child() as process:
        pid = process.pid

    assert read({pid: "svc"}) == []


def test_this_process_is_read() -> None:
    """The reader can read itself."""
    assert readings({os.getpid(): "me"})[os.getpid()].resident_bytes > MEBIBYTE
