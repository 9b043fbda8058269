"""
Who holds a certificate: the role that its SPIFFE identity names, and nothing else of it.

    spiffe://feedmesh/aggregator    spiffe://feedmesh/operator    spiffe://feedmesh/node/3    spiffe://feedmesh/admin

The identity is a URI among the certificate's alternative names. Host names beside it say where a service is found, not
who it is. SPIFFE allows one identity a certificate; with two of them its holder is nobody.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

AGGREGATOR: Final = "aggregator"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"
"""A person with the command line, from elsewhere."""

_SCHEME: Final = "spiffe://"
_IDENTITY: Final = re.compile(r"spiffe://feedmesh/(aggregator|operator|admin|node/[1-9][0-9]{0,3})")


def node(index: int) -> str:
    """Return the role of a node."""
    return f"node/{index}"


def is_node(role: str) -> bool:
    """Tell whether a role is a node's."""
    return role.startswith("node/")


def identity(role: str) -> str:
    """Return the URI that names a role in a certificate."""
    return f"{_SCHEME}feedmesh/{role}"


def role_in(uris: Iterable[str]) -> str | None:
    """Return the role that a certificate's URIs name; None if they name none, or more than one identity."""
    identities = [uri for uri in uris if uri.lower().startswith(_SCHEME)]
    if len(identities) != 1 or (found := _IDENTITY.fullmatch(identities[0])) is None:
        return None
    return found[1]


def role_of_call(auth_context: Mapping[str, Iterable[bytes]]) -> str | None:
    """Return the role of a gRPC call's peer; None without an identity."""
    return role_in(uri.decode("utf-8", "replace") for uri in auth_context.get("peer_uri", ()))


def role_of_connection(certificate: Mapping[str, Any] | None) -> str | None:
    """Return the role of the peer of a TLS connection, by what `getpeercert()` gives of it; None without one."""
    names = (certificate or {}).get("subjectAltName", ())
    return role_in(text for kind, text in names if kind == "URI")
