"""Channels to the servers of the mesh: a deadline on every call, retries only where a repeat is harmless."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from meshkit.rpc.message_limit import MESSAGE_LIMIT_BYTES

if TYPE_CHECKING:
    # Few processes have certificates, and what reads them takes 10 MB.
    from meshkit.mutual_tls.certificates import CertificateDirectory

DEFAULT_TIMEOUT_S = 10.0

# Methods that only read. A repeat cannot change anything, so a broken connection may be tried again.
IDEMPOTENT: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "feedmesh.aggregator.v1.QuoteService",
        ("GetQuote", "BatchGetQuotes", "ListPairs", "ListSources", "GetSource", "ReplayQuote"),
    ),
    ("feedmesh.supervisor.v1.SupervisorService", ("ListServices", "GetService", "GetPlan")),
    ("feedmesh.metrics.v1.ProcessMetricsService", ("GetSnapshot",)),
    ("feedmesh.metrics.v1.MetricsPageService", ("GetMetricsPage",)),
    ("feedmesh.dbinit.v1.DatabaseService", ("ListDatabases", "Check")),
    (
        "feedmesh.operator.v1.OperatorService",
        ("ListNodes", "ListFeeds", "ListBalances", "VerifyFeeds", "ListAnswers", "ListJobs"),
    ),
    ("feedmesh.oracle.v1.OracleService", ("GetStatus", "ListJobs", "ListRounds", "ReplayRound")),
)

SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                "name": [
                    {"service": service, "method": method} for service, methods in IDEMPOTENT for method in methods
                ],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 20, "tokenRatio": 0.1},
    }
)


_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", SERVICE_CONFIG),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    # A killed server is back within a second; grpc's own default waits up to two minutes between attempts.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class _Deadline(grpc.aio.UnaryUnaryClientInterceptor):
    """Give a deadline to a call that has none. Streams are meant to last and get none."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Any],
        details: grpc.aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        if details.timeout is None:
            details = grpc.aio.ClientCallDetails(
                details.method, self._timeout_s, details.metadata, details.credentials, details.wait_for_ready
            )
        return await continuation(details, request)


@dataclass(frozen=True, slots=True)
class Remote:
    """Hold the address of a service elsewhere, `host:port`, and the certificates to meet it with."""

    address: str
    certificates: "CertificateDirectory"


def channel(target: Path | str | Remote, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> grpc.aio.Channel:
    """
    Return a channel to a Unix socket (a Path), a loopback address (a string such as `127.0.0.1:7000`) or a Remote.

    A unary call without a deadline of its own gets `timeout_s`. A Remote's certificate must name the host it is
    dialled at; the channel keeps the certificates of when it was opened.
    """
    if isinstance(target, Remote):
        return grpc.aio.secure_channel(
            target.address,
            target.certificates.channel_credentials(),
            options=_OPTIONS,
            interceptors=[_Deadline(timeout_s)],
        )
    return grpc.aio.insecure_channel(
        f"unix:{target}" if isinstance(target, Path) else target,
        # The default authority of a Unix socket is its escaped path, which strict servers refuse.
        options=[*_OPTIONS, ("grpc.default_authority", "localhost")],
        interceptors=[_Deadline(timeout_s)],
    )


def error_info(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Return the ErrorInfo a server of the mesh attached to a failed call, or None if it has none."""
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the stubs know only the blocking call
    except ValueError:  # the transport has failed meanwhile, and that is not what the server said
        return None
    if status is None:
        return None
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info
    return None
