"""Names of hosts: which are this one, which a list allows."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Tell whether a name or an address is this host's own."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allows(allowed: Iterable[str], host: str) -> bool:
    """Tell whether a list of hosts, `*.` before those that stand for all below them, has a host."""
    host = host.lower().rstrip(".")
    return any(host == each or (each.startswith("*.") and host.endswith(each[1:])) for each in allowed)


def hosts_of(urls: Iterable[str | None]) -> frozenset[str]:
    """Return the hosts of addresses; None is none."""
    return frozenset(host for url in urls if url is not None and (host := urlsplit(url).hostname))
