"""Where a peer listens: host and port, and the text of both."""

import ipaddress
from dataclasses import dataclass

from services.oracle.p2p.errors import MalformedInput


@dataclass(frozen=True, slots=True)
class Address:
    """Hold a host (numeric, or a name where names are allowed) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_numeric(self) -> bool:
        """Tell whether the host is an IPv4 or IPv6 address."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True

    @property
    def is_unspecified(self) -> bool:
        """Tell whether the host means every interface, which nobody can dial."""
        return self.is_numeric and ipaddress.ip_address(self.host).is_unspecified

    @classmethod
    def parse(cls, text: str) -> "Address":
        """
        Read "host:port" or "[host]:port".

        Raises:
            MalformedInput: when the text is neither.
        """
        host, colon, port = text.rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise MalformedInput("address", text, "an IPv6 host in brackets")
        if not (host and colon and port.isascii() and port.isdecimal() and 0 <= int(port) <= 65_535):
            raise MalformedInput("address", text, "host:port with a port of 0 to 65535")
        return cls(host, int(port))
