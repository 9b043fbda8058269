"""The way of a feed's reports to its contract: one transaction under way at a time, the newest report wins."""

import asyncio
from collections.abc import Sequence

from services.oracle.chain import aggregator
from services.oracle.chain.account import Account
from services.oracle.chain.errors import Superseded


class FeedTransmitter:
    """Transmit the reports of one feed; the ContractTransmitter of the protocol."""

    def __init__(self, account: Account, contract: str, gas_limit: int) -> None:
        self._account = account
        self._contract = contract
        self._gas_limit = gas_limit
        self._newest = 0
        self._turn = asyncio.Lock()
        self._under_way: asyncio.Task[None] | None = None

    async def transmit(self, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> None:
        """
        Send the report once the one before is settled; return when it was handed to the chain.

        Raises:
            Superseded: when a newer report came while this one waited.
            RpcRefused, RpcUnavailable: when the chain did not take it.
        """
        self._newest += 1
        ticket = self._newest
        async with self._turn:
            if self._under_way is not None:
                # The wait may be cancelled by the caller's timeout; the transaction itself must be followed on.
                await asyncio.wait({self._under_way})
            if ticket != self._newest:
                raise Superseded("a newer report of this feed came first")
            data = aggregator.transmit_calldata(report, rs, ss, raw_vs)
            self._under_way = await self._account.send(self._contract, data, self._gas_limit)
