"""What a section of the configuration says of a push: where to, how often, as whom, in which form."""

import re
import socket
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from meshkit.configuration.aggregator import MetricsPush, ReceiverKind
from meshkit.egress.hosts import hosts_of
from meshkit.errors import InvalidInput
from meshkit.push import grouping_path
from meshkit.push.errors import PushRefused

TTL_LABEL: Final = "ttl"
_LABEL_NAME: Final = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_ENDINGS: Final[Mapping[str, ReceiverKind]] = {
    "/api/v1/import/prometheus": "victoriaMetrics",
    "/api/v1/write": "remoteWrite",
    "/api/v1/push": "remoteWrite",
    "/api/v1/receive": "remoteWrite",
}


@dataclass(frozen=True, slots=True)
class PushConfig:
    """
    Hold where and how to push; headers and password are secrets.

    Attributes:
        labels: Added to every sample.
        method: PUT replaces the group at receivers that know groups; POST is what importers of samples take.
        kind: What the receiver is, and so how it is spoken with.
        ttl: Seconds for the query's `ttl`, which tells a receiver how long to keep the series; None for no such query.
        batch_size: The most samples of one request; None to send all in one, as replacing a group demands.
        gzip: Whether what is sent is compressed.
        ca_file: The certificates that the receiver's must be signed by; None for those of the system.
        egress: The hosts that it may go to, besides this one; None for any.
    """

    url: str
    interval_ms: int
    timeout_ms: int
    labels: Mapping[str, str]
    method: Literal["PUT", "POST"] = "PUT"
    kind: ReceiverKind = "text"
    ttl: str | None = None
    batch_size: int | None = None
    gzip: bool = False
    ca_file: Path | None = None
    egress: frozenset[str] | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def read(
    section: MetricsPush | None,
    place: str,
    method: Literal["PUT", "POST"],
    *,
    ttl_s: int | None = None,
    egress: Iterable[str] | None = None,
) -> PushConfig | None:
    """
    Return the push that a section of the configuration asks for, None if it does not.

    `egress` are the hosts that the push may go to; None for the receiver's own only.
    Raises InvalidInput for a grouping label that Prometheus would refuse, naming the section's `place`.
    """
    if section is None or not section.enabled:
        return None
    if section.url is None:  # the model refuses this; the type checker cannot know
        raise InvalidInput(f"{place}.url", None, "an http or https address when enabled is true")
    for name in section.grouping_labels:
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise InvalidInput(f"{place}.groupingLabels", name, f"names that match {_LABEL_NAME.pattern}")
    own = {"job": section.job_name, "instance": socket.gethostname()}
    labels = own | ({} if ttl_s is None else {TTL_LABEL: str(ttl_s)}) | section.grouping_labels
    kind = section.receiver or kind_of(section.url)
    return PushConfig(
        url=section.url,
        interval_ms=section.interval_ms,
        timeout_ms=section.timeout_ms,
        labels=labels,
        method=method,
        kind=kind,
        ttl=None if ttl_s is None else labels[TTL_LABEL],
        batch_size=section.batch_size if method == "POST" and kind in ("text", "victoriaMetrics") else None,
        # Who is not known to read it is not sent it.
        gzip=kind == "victoriaMetrics" if section.gzip is None else section.gzip,
        ca_file=section.ca_file,
        egress=hosts_of([section.url]) if egress is None else frozenset(egress),
        username=section.basic_auth.username if section.basic_auth else None,
        password=section.basic_auth.password.get_secret_value() if section.basic_auth else None,
        headers={name: value.get_secret_value() for name, value in section.headers.items()},
    )


def kind_of(url: str) -> ReceiverKind:
    """Return what an address says of its receiver: its path is that of a known interface, or it is any other."""
    path = urlsplit(url).path.rstrip("/")
    if grouping_path.names_a_group(url):
        return "pushgateway"
    return next((kind for ending, kind in _ENDINGS.items() if path.endswith(ending)), "text")


def trusting(ca_file: Path | None) -> ssl.SSLContext | bool:
    """Return what verifies certificates, the system's authorities or a file's; raise PushRefused for no such file."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise PushRefused(0, f"caFile {ca_file} has no PEM certificates to read: {error}") from error
