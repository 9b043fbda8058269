"""
The logs of RoundRequested events, asked for once a block for all feeds of a chain.

Every report is decided upon with the newest request in view, so each feed would ask each block the same of its own
contract: a quarter of all that a node asks.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chainlink.contract import aggregator
from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import RpcRefused
from meshkit import log
from services.oracle.chain.heads import HeadTracker

_log = log.get_logger(__name__)
# A feed that has not asked for so many blocks asks for itself, and is left out of what is asked for all.
_BLOCKS: Final = 128
_MOST_CONTRACTS: Final = 100

Logs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Answer:
    """Hold what was answered of some contracts, in lower case, over a range of blocks since the head's last rewind."""

    first: int
    last: int
    rewinds: int
    logs: Mapping[str, Logs]


class RoundRequestLogs:
    """Ask for the logs of all contracts that were asked for of late, and remember the last answer."""

    def __init__(self, rpc: RpcClient, heads: HeadTracker) -> None:
        self._rpc = rpc
        self._heads = heads
        self._asked: dict[str, int] = {}
        self._answer: _Answer | None = None
        self._asking = asyncio.Lock()
        self._most = _MOST_CONTRACTS

    async def read(self, contract: str, first: int, last: int) -> Logs:
        """
        Return a contract's logs of at least the blocks from `first` to `last`, in chain order.

        Raises:
            RpcRefused: when no endpoint gives logs, not even of a single block.
            RpcUnavailable: when no endpoint of the chain answers.
        """
        key = contract.lower()
        is_known, self._asked[key] = key in self._asked, last
        if is_known and last - first < _BLOCKS:
            # Who waits here finds the answer of who came first, and asks instead where that was cancelled.
            async with self._asking:
                found = self._remembered(key, first, last)
                if found is None:
                    await self._ask(last)
                    found = self._remembered(key, first, last)
            if found is not None:
                # Of an endpoint that is behind, an older log is not to stand for a newer one that was seen.
                return [each for each in found if quantity(each["blockNumber"]) >= first]
        return await self._rpc.logs(contract, aggregator.ROUND_REQUESTED.topic, first, last)

    def _remembered(self, key: str, first: int, last: int) -> Logs | None:
        answer = self._answer
        if answer is None or answer.rewinds != self._heads.rewinds or not answer.first <= first <= last <= answer.last:
            return None
        return answer.logs.get(key)

    async def _ask(self, last: int) -> None:
        """Ask for all; where that is refused fewer are asked for at once from then on, and each for itself now."""
        first, rewinds = max(0, last - _BLOCKS + 1), self._heads.rewinds
        # Behind a rewind everything is higher than the head.
        self._asked = {key: at for key, at in self._asked.items() if first <= at <= last}
        contracts, found = list(self._asked), dict[str, list[Mapping[str, Any]]]()
        try:
            for start in range(0, len(contracts), self._most):
                some = contracts[start : start + self._most]
                found |= {key: [] for key in some}
                for each in await self._rpc.logs(some, aggregator.ROUND_REQUESTED.topic, first, last):
                    found[str(each["address"]).lower()].append(each)
        except RpcRefused as error:
            self._most = max(1, min(self._most, len(contracts)) // 2)
            _log.warning("logs_of_many_contracts_refused", error=str(error), contracts_from_now_on=self._most)
            return
        self._answer = _Answer(first, last, rewinds, found)
