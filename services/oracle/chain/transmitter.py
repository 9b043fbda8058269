"""The way of a feed's reports to its contract: one transaction under way at a time, the newest report wins."""

import asyncio
from collections.abc import Sequence

from chainlink.contract import aggregator
from services.oracle.chain.answer_bounds import AnswerBounds
from services.oracle.chain.errors import Superseded
from services.oracle.chain.transactions.account import Account
from services.oracle.ocr.report import decode_report, median


class FeedTransmitter:
    """Transmit the reports of one feed; the ContractTransmitter of the protocol."""

    def __init__(self, account: Account, contract: str, gas_limit: int, bounds: AnswerBounds | None = None) -> None:
        self._account = account
        self._contract = contract
        self._gas_limit = gas_limit
        self._bounds = bounds
        self._newest = 0
        self._turn = asyncio.Lock()

    async def transmit(self, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> None:
        """
        Send the report once the one before is settled; return when it was handed to the chain.

        A report that is on its way already, as after a restart, is not sent again.

        Raises:
            AnswerOutOfBounds: when the contract would revert it.
            Superseded: when a newer report came while this one waited.
            Unfunded, RpcRefused, RpcUnavailable: when the chain did not take it.
            DatabaseUnavailable: when it could not be written down, and so was not sent.
        """
        if self._bounds is not None:
            _, observations = decode_report(report)
            await self._bounds.check(median(observations))
        self._newest += 1
        ticket = self._newest
        data = aggregator.transmit_calldata(report, rs, ss, raw_vs)
        async with self._turn:
            if not await self._account.quiet(self._contract, data):
                return
            if ticket != self._newest:
                raise Superseded("a newer report of this feed came first")
            await self._account.send(self._contract, data, self._gas_limit)
