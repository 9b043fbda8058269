"""A transaction of this node's accounts as GraphQL's questions have it."""

from collections.abc import Callable, Mapping
from typing import Any

from services.oracle.rest.transactions import hash_of, shown
from services.oracle.store.transactions import SentAttempt, TransactionLog


async def find(log: TransactionLog, text: str) -> SentAttempt | None:
    """Return the transaction of a hash, None if there is none."""
    found = hash_of(text)
    return None if found is None else await log.attempt(found)


def of(sent: SentAttempt, chain: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of a transaction with its last attempt; `chain` gives those of a chain."""
    fields = shown(sent)
    return {
        "__typename": "EthTransaction",
        **fields,
        "hex": fields["rawHex"],
        "sentAt": fields["sentAt"] or None,
        "chain": lambda _: chain(sent.chain_id),
    }


def attempt(sent: SentAttempt) -> dict[str, Any]:
    """Return the fields of one attempt."""
    fields = shown(sent)
    return {
        "gasPrice": fields["gasPrice"],
        "hash": fields["hash"],
        "hex": fields["rawHex"],
        "sentAt": fields["sentAt"] or None,
    }
