"""
Who may call what over TCP, by the role that the peer's certificate names; what is not listed is an admin's only.

Over a Unix socket nobody has a certificate: there the file system's rights decide who can call at all.
"""

from typing import Final

from grpc_health.v1 import health

from meshkit.mutual_tls.peer_role import ADMIN, AGGREGATOR, OPERATOR, is_node

_NODE: Final = "node"
_QUOTES: Final = "feedmesh.aggregator.v1.QuoteService"
_OPERATOR: Final = "feedmesh.operator.v1.OperatorService"
_ORACLE: Final = "feedmesh.oracle.v1.OracleService"

ALLOWED: Final[dict[str, frozenset[str]]] = {
    # A node's prices; and what a person would look at to learn why one is missing.
    **dict.fromkeys(
        (f"{_QUOTES}/{verb}" for verb in ("GetQuote", "BatchGetQuotes", "StreamQuotes", "ListPairs", "ListSources")),
        frozenset({_NODE, OPERATOR}),
    ),
    f"{_QUOTES}/GetSource": frozenset({_NODE, OPERATOR}),
    # The last answers on chain, which the aggregator compares its first prices with.
    f"{_OPERATOR}/ListFeeds": frozenset({AGGREGATOR}),
    **dict.fromkeys((f"{_ORACLE}/{verb}" for verb in ("GetStatus", "WatchRounds", "ListJobs")), frozenset({OPERATOR})),
}
"""By full method, without the leading slash: the roles that may call it besides an admin; `node` is every node."""


def may_call(role: str | None, method: str) -> bool:
    """Tell whether a role may call a full method such as `/feedmesh.operator.v1.OperatorService/ListFeeds`."""
    name = method.lstrip("/")
    if role is None:
        return False
    if role == ADMIN or name.startswith(f"{health.SERVICE_NAME}/"):
        return True
    return (_NODE if is_node(role) else role) in ALLOWED.get(name, frozenset())
