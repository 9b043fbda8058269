"""What was measured: values without behaviour."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """
    Hold what the operating system says of one process.

    `started_s` is the start time in seconds since the epoch; with the pid it identifies the process, since pids are
    used again. CPU times are seconds since the start.
    """

    pid: int
    started_s: float
    name: str
    user_s: float
    system_s: float
    resident_bytes: int

    @property
    def cpu_s(self) -> float:
        """Return the CPU time in both modes, in seconds."""
        return self.user_s + self.system_s


@dataclass(frozen=True, slots=True)
class ProcessSample:
    """Hold one process of the mesh; `cpu_percent` is None in its first sample."""

    service: str
    reading: ProcessReading
    cpu_percent: float | None


@dataclass(frozen=True, slots=True)
class ServiceSample:
    """Hold what the supervisor says of one service; the pid is 0 when it has no process."""

    service: str
    pid: int
    restarts: int
    last_restart_ms: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Hold one answer of the supervisor."""

    supervisor_pid: int
    services: tuple[ServiceSample, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold one measurement of the whole mesh: processes by service and pid, services in start order."""

    time_ms: int
    processes: tuple[ProcessSample, ...]
    services: tuple[ServiceSample, ...]
    supervisor_up: bool
