"""TCP ports of this host that somebody else holds, said in one way: which, who wanted it, who has it."""

import errno
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from meshkit.errors import FailedPrecondition

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TakenPort:
    """A port that cannot be bound; `wanted_by` is a service or a setting, `holder` is `pid 12 (nginx: master)`."""

    port: int
    wanted_by: str
    problem: str
    holder: str

    def __str__(self) -> str:
        return f"port {self.port} on {LOOPBACK}, wanted by {self.wanted_by}, {self.problem}; held by {self.holder}"


class PortInUse(FailedPrecondition):
    """Some TCP ports cannot be bound; the text names each with who wanted it and who has it."""

    reason = "PORT_IN_USE"

    def __init__(self, *taken: TakenPort) -> None:
        super().__init__("; ".join(map(str, taken)))
        self.ports = ", ".join(str(each.port) for each in taken)
        self._taken = taken

    @property
    def taken(self) -> tuple[TakenPort, ...]:
        """Return what is taken."""
        return self._taken


def check(wanted: Mapping[int, str], held: Collection[int] = ()) -> None:
    """Raise PortInUse unless every port can be bound on 127.0.0.1; `held` are ours already. Values say who wants it."""
    found = [
        _taken(port, wanted_by, problem)
        for port, wanted_by in wanted.items()
        if port not in held and (problem := _why_not(port)) is not None
    ]
    if found:
        raise PortInUse(*found)


@contextmanager
def binding(port: int, wanted_by: str) -> Iterator[None]:
    """Turn the error of a bind in the body into PortInUse, if that is why it failed."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortInUse(_taken(port, wanted_by, errno.EADDRINUSE)) from error


def holder(port: int) -> str:
    """Return `pid 12 (command line)` of the process that listens on the port, or `unknown` if it is not visible."""
    import psutil  # few processes ever need it

    try:
        listeners = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        ]
        pid = next((pid for pid in listeners if pid is not None), None)
        return f"pid {pid} ({' '.join(psutil.Process(pid).cmdline())[:120]})" if pid is not None else "unknown"
    except psutil.Error:
        return "unknown"


def _taken(port: int, wanted_by: str, problem: int) -> TakenPort:
    if problem == errno.EADDRINUSE:
        return TakenPort(port, wanted_by, "is in use", holder(port))
    return TakenPort(port, wanted_by, f"cannot be bound: {os.strerror(problem)}", "nobody")


def _why_not(port: int) -> int | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of the last run that linger in TIME_WAIT do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error.errno
    return None
