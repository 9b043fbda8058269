"""Addresses of hosts and of contracts, as the configuration has them."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

from meshkit.configuration.faults.wording import Words


def _with_host(url: str) -> str:
    """Return a URL that has a host and a possible port; raise ValueError for any other."""
    parts = urlsplit(url)
    if not parts.hostname or parts.port == 0:
        raise ValueError("no host, or no possible port")
    return url


HttpUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://[^\s]+$"),
    AfterValidator(_with_host),
    Words("an address such as https://host/path"),
]
WebSocketUrl = Annotated[
    str,
    StringConstraints(pattern=r"^wss?://[^\s]+$"),
    AfterValidator(_with_host),
    Words("an address such as wss://host/path"),
]
Address = Annotated[
    str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$"), Words("an address: 0x and 40 hexadecimal digits")
]
Host = Annotated[
    str,
    StringConstraints(pattern=r"^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$|^[0-9a-f:]+$", max_length=253),
    Words("a host name in lower case, *.domain for all below it, or an IP address, without port"),
]
