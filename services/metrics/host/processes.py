"""Read the process table of this host."""

from collections.abc import Mapping

import psutil

from services.metrics.cpu_by_service import owners
from services.metrics.snapshot import ProcessReading


def read(roots: Mapping[int, str]) -> list[tuple[str, ProcessReading]]:
    """
    Read every process at or below the given pids and say which service it belongs to.

    Processes that end meanwhile, or that the kernel does not let us read, are left out. Blocks for some milliseconds.
    """
    # process_iter keeps its Process objects, so a start time stays what it was when we first saw the process even if
    # the wall clock is set.
    processes = {process.pid: process for process in psutil.process_iter(["ppid"])}
    parents = {pid: process.info["ppid"] for pid, process in processes.items() if process.info["ppid"] is not None}
    found: list[tuple[str, ProcessReading]] = []
    for pid, service in owners(parents, roots).items():
        reading = _read_one(processes[pid])
        if reading is not None:
            found.append((service, reading))
    return found


def _read_one(process: psutil.Process) -> ProcessReading | None:
    try:
        with process.oneshot():
            cpu = process.cpu_times()
            return ProcessReading(
                pid=process.pid,
                started_s=process.create_time(),
                name=process.name(),
                user_s=cpu.user,
                system_s=cpu.system,
                resident_bytes=process.memory_info().rss,
            )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
