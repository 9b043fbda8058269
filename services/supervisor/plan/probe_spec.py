"""How a service is asked whether it does its work, and how often, as plain values; `process/probes.py` asks."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    How often to ask, and how many failures in a row mean that a service is no longer ready.

    Until the first success the period grows from `first_period_s` by half each time, up to `starting_period_s`;
    afterwards it is `period_s`. An answer later than `timeout_s` is a failure.
    """

    first_period_s: float = 0.05
    starting_period_s: float = 0.25
    period_s: float = 1.0
    timeout_s: float = 2.0
    failure_threshold: int = 3


DEFAULT_SCHEDULE = Schedule()


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """Ready when a connection to 127.0.0.1 is accepted."""

    port: int


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Ready when GET on 127.0.0.1 answers with status 200, or with any."""

    port: int
    path: str
    any_answer: bool = False


@dataclass(frozen=True, slots=True)
class GrpcProbe:
    """
    Ready when the health service on a Unix socket says SERVING for the server as a whole.

    With `any_answer` it is enough that the server says something, unless it says that its process does not do its work
    any more (the health of `liveness`).
    """

    socket: Path
    any_answer: bool = False


@dataclass(frozen=True, slots=True)
class PostgresProbe:
    """
    Ready when the server lets a user log in and answers a query; with `any_answer` a refusal by it is enough.

    The password is read from its file at each look, since the file appears only when the cluster is made.
    """

    port: int
    user: str
    database: str
    password_file: Path
    any_answer: bool = False


AnyProbe = TcpProbe | HttpProbe | GrpcProbe | PostgresProbe
"""The probes that a plan may name."""


def in_words(probe: AnyProbe) -> str:
    """Return what is asked, for people."""
    match probe:
        case TcpProbe():
            return f"TCP on port {probe.port}"
        case HttpProbe():
            return f"GET {probe.path} on port {probe.port}"
        case GrpcProbe():
            return f"gRPC health on {probe.socket.name}"
        case PostgresProbe():
            return f"PostgreSQL login on port {probe.port}"
