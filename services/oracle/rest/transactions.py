"""The transactions of this node's accounts, and the attempts of each."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from aiohttp import web

from services.oracle.rest.jsonapi import Refused, one, page, resource, window
from services.oracle.store.transactions import SentAttempt, TransactionLog

_HASH = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,64})")
_HASH_DIGITS = 64
# A transaction that a block has is confirmed to the real node, whether it was reverted or not.
_STATES = {"unconfirmed": "unconfirmed", "confirmed": "confirmed", "reverted": "confirmed", "lost": "fatal_error"}


class Transactions:
    """Serve /v2/transactions and /v2/tx_attempts."""

    def __init__(self, log: TransactionLog) -> None:
        self._log = log

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the routes."""
        return (
            web.get("/v2/transactions", self._list),
            web.get("/v2/transactions/evm", self._list),
            web.get("/v2/transactions/evm/{hash}", self._get),
            web.get("/v2/transactions/{hash}", self._get),
            web.get("/v2/tx_attempts", self._attempts),
            web.get("/v2/tx_attempts/evm", self._attempts),
        )

    async def _list(self, request: web.Request) -> web.Response:
        number, size = window(request)
        return _page(request, *await self._log.transactions((number - 1) * size, size), number, size)

    async def _attempts(self, request: web.Request) -> web.Response:
        number, size = window(request)
        return _page(request, *await self._log.attempts((number - 1) * size, size), number, size)

    async def _get(self, request: web.Request) -> web.Response:
        found = hash_of(request.match_info["hash"])
        attempt = None if found is None else await self._log.attempt(found)
        if attempt is None:
            raise Refused(404, "Transaction not found")
        return one(_resource(attempt))


def _page(request: web.Request, attempts: Sequence[SentAttempt], count: int, number: int, size: int) -> web.Response:
    return page(request, [_resource(attempt) for attempt in attempts], count, number, size)


def hash_of(text: str) -> str | None:
    """Return a transaction's hash as it is stored, None for what is none."""
    found = _HASH.fullmatch(text)
    return None if found is None else "0x" + found[1].lower().zfill(_HASH_DIGITS)


def _resource(attempt: SentAttempt) -> dict[str, Any]:
    return resource("evm_transactions", f"{attempt.chain_id}/{attempt.hash}", shown(attempt))


def shown(attempt: SentAttempt) -> dict[str, Any]:
    """Return what is shown of an attempt and its transaction."""
    return {
        "state": _STATES[attempt.state],
        "data": "0x" + attempt.data.hex(),
        "from": attempt.from_address.lower(),
        "gasLimit": str(attempt.gas_limit),
        "gasPrice": str(attempt.price_wei),
        "hash": attempt.hash,
        "rawHex": "0x" + attempt.raw.hex(),
        "nonce": str(attempt.nonce),
        "sentAt": "" if attempt.block is None else str(attempt.block),
        "to": attempt.to_address.lower(),
        # Transmissions carry nothing.
        "value": "0.000000000000000000",
        "evmChainID": str(attempt.chain_id),
    }
