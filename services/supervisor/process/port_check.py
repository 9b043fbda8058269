"""Look for taken TCP ports before anything starts, and say who holds them."""

import errno
import os
import socket
from collections.abc import Collection, Iterable

import psutil

from services.supervisor.errors import PortInUse
from services.supervisor.plan.service_spec import ServiceSpec

_LOOPBACK = "127.0.0.1"


def check_ports(specs: Iterable[ServiceSpec], held: Collection[int] = ()) -> None:
    """Raise PortInUse for the first port of the plan that cannot be bound on 127.0.0.1; `held` are ours already."""
    for spec in specs:
        for port in spec.ports:
            problem = None if port in held else _why_not(port)
            if problem == errno.EADDRINUSE:
                raise PortInUse(port, spec.name, holder(port), "is in use")
            if problem is not None:
                raise PortInUse(port, spec.name, "nobody", f"cannot be bound: {os.strerror(problem)}")


def holder(port: int) -> str:
    """Return `pid 12 (command line)` of the process that listens on the port, or `unknown` if it is not visible."""
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


def _why_not(port: int) -> int | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of the last run that linger in TIME_WAIT do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
            probe.listen(1)
        except OSError as error:
            return error.errno
    return None
