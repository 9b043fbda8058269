"""Credentials that several processes derive from one secret of the configuration, so that none has to carry them."""

import hashlib
import hmac


def database_password(pg_password: str, node: int) -> str:
    """
    Return the password of one node's database role: 32 hex digits, the same wherever it is derived.

    It is the first half of HMAC-SHA256 with `solution.pgPassword` as the key over `chainlink_node_<node>`. Whoever
    reads one node's secrets.toml learns neither the key nor another node's password.
    """
    return hmac.new(pg_password.encode(), f"chainlink_node_{node}".encode(), hashlib.sha256).hexdigest()[:32]
