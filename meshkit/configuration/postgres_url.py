"""The URL of a PostgreSQL server that is not ours, as libpq, pgx and asyncpg read it."""

import ipaddress
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

_VERIFYING = ("verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """Hold the parts of `postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE`."""

    user: str
    password: str = field(repr=False)
    host: str
    port: int
    database: str
    query: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read a URL; beyond loopback it must verify the server's certificate.

        Raises ValueError, which never has the password in it.
        """
        try:
            parts = urlsplit(text)
            host, port, query = parts.hostname or "", parts.port or 5432, parse_qs(parts.query, strict_parsing=True)
        except ValueError:
            parts, host, port, query = urlsplit(""), "", 0, {}
        if parts.scheme not in ("postgresql", "postgres") or not (host and parts.username and parts.password):
            raise ValueError(
                "allowed: postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE"
            )
        mode = query.get("sslmode", ["none"])[-1]
        if not _is_loopback(host) and (mode not in _VERIFYING or "sslrootcert" not in query):
            raise ValueError(
                f"sslmode is {mode} for {host}, which is beyond loopback; "
                "allowed: sslmode=verify-full or verify-ca, with sslrootcert"
            )
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(user, password, host, port, unquote(parts.path.lstrip("/")) or user, parts.query)

    def of(self, user: str, password: str, database: str) -> str:
        """Return the URL by which another user reaches another database of the same server."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"?{self.query}" if self.query else ""
        credentials = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{credentials}@{host}:{self.port}/{quote(database, safe='')}{query}"

    def to(self, database: str) -> str:
        """Return the URL by which its own user reaches a database."""
        return self.of(self.user, self.password, database)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
