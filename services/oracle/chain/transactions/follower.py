"""
Every transaction of an account, followed until a block has it and others bury it, or it is lost.

    follow task, while there is anything to follow: each head or second ── look at each, lowest nonce first, decide, act
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient, Submission
from chainlink.rpc.errors import ChainError, Malformed, RpcRefused, RpcUnavailable
from chainlink.rpc.refusals import is_revert
from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import EvmSettings
from services.oracle.chain.transactions.fee_bumping import Fees
from services.oracle.chain.transactions.gas_price_source import Pricing
from services.oracle.chain.transactions.in_flight import (
    Afterlife,
    Flight,
    Mined,
    Receipt,
    Sight,
    Turn,
    Verdict,
    afterlife,
    hashes,
    judge,
    turn,
)
from services.oracle.chain.transactions.kept_transactions import KeptTransactions, TransactionState
from services.oracle.chain.transactions.nonces import Nonces
from services.oracle.chain.transactions.transaction_news import Follow, TransactionMoment, TransactionNews, nobody
from services.oracle.errors import DatabaseUnavailable

_log = log.get_logger(__name__)
_SETTLED: Mapping[Turn, TransactionState] = {
    Turn.CONFIRMED: "confirmed",
    Turn.REVERTED: "reverted",
    Turn.LOST: "lost",
}
_ASKED_FOR_A_RECEIPT = 4
Sign = Callable[[Flight, Fees], Flight]
"""Returns a transaction with one more attempt, signed at these fees."""


@dataclass(slots=True)
class UnderWay:
    """Hold a transaction under way and what tells of its end."""

    flight: Flight
    settled: asyncio.Future[TransactionState]


class TransactionFollower:
    """
    Follow the transactions of one account.

    Attributes:
        under_way: What no block has yet, by id.
        room: Notified whenever one of these has ended.
        unfunded: The chain's own words, as long as the last transaction could not be paid; else empty.
    """

    def __init__(
        self,
        address: str,
        rpc: RpcClient,
        heads: HeadTracker,
        chain: EvmSettings,
        store: KeptTransactions,
        clock: Clock,
        *,
        nonces: Nonces,
        pricing: Pricing,
        sign: Sign,
        counters: Counter[str],
        follow: Follow = nobody,
    ) -> None:
        self.under_way: dict[uuid.UUID, UnderWay] = {}
        self.room = asyncio.Condition()
        self.unfunded = ""
        self._address = address
        self._rpc = rpc
        self._heads = heads
        self._chain = chain
        self._store = store
        self._clock = clock
        self._nonces = nonces
        self._pricing = pricing
        self._sign = sign
        self._counters = counters
        self._tell = follow
        self._mined: dict[uuid.UUID, Mined] = {}
        self._task: asyncio.Task[None] | None = None
        self._rewinds = heads.rewinds

    @property
    def own_nonces(self) -> set[int]:
        """Return the nonces of all that is followed."""
        return {held.flight.nonce for held in self.under_way.values()} | {m.flight.nonce for m in self._mined.values()}

    def hold(self, flight: Flight) -> UnderWay:
        """Follow a transaction that somebody has, or may have."""
        held = UnderWay(flight, asyncio.get_running_loop().create_future())
        self.under_way[flight.id] = held
        self._start()
        return held

    def tell(self, moment: TransactionMoment, flight: Flight, receipt: Receipt | None = None, reason: str = "") -> None:
        """Tell whoever follows what became of a transaction, and why it was reverted."""
        found = flight.last.hash if receipt is None else receipt.hash
        self._tell(TransactionNews(moment, self._address, flight.to, flight.data, found, flight.nonce, receipt, reason))

    def watch(self, mined: Mined) -> None:
        """Follow a transaction that a block had before this process started."""
        self._mined[mined.flight.id] = mined
        self._start()

    def notice_rewind(self) -> None:
        """Forget the chain's counts if it went back, as a dev chain does that starts from an older snapshot."""
        if self._rewinds != self._heads.rewinds:
            self._rewinds = self._heads.rewinds
            self._nonces.forget()

    async def close(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def hand_over(self, flight: Flight) -> Submission:
        """Hand the last attempt of a transaction to every endpoint once more; note what that says of the account."""
        submission = await self._rpc.submit(flight.last.raw)
        verdict = judge(submission)
        if verdict in (Verdict.UNFUNDED, Verdict.UNDERPRICED, Verdict.REFUSED):
            self._counters[verdict.name.lower()] += 1
            said = [refusal.message for refusal in submission.refusals]
            _log.warning("transaction_not_taken", verdict=verdict.value, nonce=flight.nonce, errors=said)
        if verdict is Verdict.UNFUNDED:
            self.unfunded = submission.refusals[0].message
        elif verdict is Verdict.ACCEPTED:
            self.unfunded = ""
            self._pricing.accepted()
        return submission

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        while self.under_way or self._mined:
            try:
                await self._look()
            except (RpcUnavailable, ChainError, DatabaseUnavailable) as error:
                _log.debug("transactions_not_followed", error=str(error))
            except Exception:
                # A defect must not leave every feed of this account waiting; it is tried again with the next head.
                self._counters["internal_errors"] += 1
                _log.exception("following_failed", address=self._address)
            if self.under_way or self._mined:
                await self._next_head()

    async def _next_head(self) -> None:
        news = asyncio.ensure_future(self._heads.news())
        pause = asyncio.ensure_future(self._clock.sleep(self._chain.head_interval_s))
        try:
            await asyncio.wait({news, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            pause.cancel()

    async def _look(self) -> None:
        """Look at everything once, lowest nonce first."""
        self.notice_rewind()
        counted = await self._rpc.number("eth_getTransactionCount", self._address, "latest")
        self._nonces.told(counted, await self._rpc.number("eth_getTransactionCount", self._address, "pending"))
        looks = [(mined.flight, partial(self._look_at_mined, mined)) for mined in self._mined.values()]
        looks += [(held.flight, partial(self._look_at, held)) for held in self.under_way.values()]
        for flight, look in sorted(looks, key=lambda pair: pair[0].nonce):
            try:
                await look()
            except ChainError as error:
                _log.warning("transaction_not_followed", hash=flight.last.hash, error=str(error))

    async def _look_at(self, held: UnderWay) -> None:
        if held.flight.head is None:
            # Taken up from an earlier run: its wait for a higher price begins now.
            held.flight = replace(held.flight, head=self._heads.latest)
        nonces = self._nonces
        receipt = await self._receipt(held.flight) if nonces.mined > held.flight.nonce else None
        sight = Sight(self._heads.latest, self._clock.monotonic(), nonces.mined, nonces.pending or 0, receipt)
        threshold = self._chain.gas_estimator.bump_threshold
        what = turn(held.flight, sight, self.own_nonces, bump_threshold=threshold, resend_s=self._chain.resend_s)
        await self._act(held, what, receipt)

    async def _receipt(self, flight: Flight) -> Receipt | None:
        """Return the receipt of any attempt; it is asked for again where a node that is behind may have answered."""
        for _ in range(_ASKED_FOR_A_RECEIPT):
            for found in hashes(flight):
                receipt = await self._rpc.call("eth_getTransactionReceipt", found)
                if isinstance(receipt, dict) and receipt.get("blockNumber") is not None:
                    return _read(found, receipt)
        return None

    async def _act(self, held: UnderWay, what: Turn, receipt: Receipt | None) -> None:
        if state := _SETTLED.get(what):
            await self._settle(held, state, receipt)
            return
        held.flight = replace(held.flight, looks=held.flight.looks + 1 if what is Turn.LOOK_AGAIN else 0)
        if what is Turn.BUMP and await self._bump(held):
            return
        if what in (Turn.BUMP, Turn.RESEND):
            held.flight = replace(held.flight, sent_s=self._clock.monotonic())
            submission = await self.hand_over(held.flight)
            self._counters["resent"] += 1
            if judge(submission) is Verdict.UNDERPRICED:
                await self._offer(held, await self._pricing.raised(held.flight.last.fees, submission))

    async def _bump(self, held: UnderWay) -> bool:
        """Offer more; tell whether there was room for it."""
        fees = await self._pricing.bump(held.flight.last.fees)
        if fees is None:
            self._counters["bump_limit"] += 1
            _log.warning("gas_price_at_its_limit", hash=held.flight.last.hash, nonce=held.flight.nonce)
            # The next blocks are waited for again before the limit is told once more.
            held.flight = replace(held.flight, head=self._heads.latest)
            return False
        await self._offer(held, fees)
        self._counters["bumped"] += 1
        return True

    async def _offer(self, held: UnderWay, fees: Fees | None) -> None:
        """Sign a transaction at other fees, and hand that over; None if there is no room for more."""
        if fees is None:
            self._counters["floor_above_limit"] += 1
            return
        flight = self._sign(held.flight, fees)
        await self._store.attempt(flight)
        held.flight = flight
        _log.info("gas_price_bumped", hash=flight.last.hash, nonce=flight.nonce, cap_wei=fees.cap_wei)
        await self.hand_over(flight)

    async def _settle(self, held: UnderWay, state: TransactionState, receipt: Receipt | None) -> None:
        flight, block = held.flight, receipt.block if receipt else None
        await self._store.settle(flight, state, receipt.hash if receipt else None, block)
        self._counters[state] += 1
        _log.info("transaction_settled", hash=flight.last.hash, state=state, block=block, nonce=flight.nonce)
        self.tell(TransactionMoment(state), flight, receipt, await self._why_reverted(state, flight, receipt))
        if receipt is not None:
            self._nonces.used(flight.nonce)
            self._mined[flight.id] = Mined(flight, receipt.block)
        else:
            # Whoever had the nonces under it may have lost them too: the chain's count decides again.
            self._nonces.lost()
        del self.under_way[flight.id]
        held.settled.set_result(state)
        async with self.room:
            self.room.notify_all()

    async def _why_reverted(self, state: TransactionState, flight: Flight, receipt: Receipt | None) -> str:
        """Return what the contract says to the same call in the state before its block; empty if nothing, or nobody."""
        if state != "reverted" or receipt is None:
            return ""
        call = {"from": self._address, "to": flight.to, "data": f"0x{flight.data.hex()}"}
        try:
            await self._rpc.call("eth_call", call, hex(receipt.block - 1))
        except RpcRefused as error:
            return error.message if is_revert(error) else ""
        except (RpcUnavailable, ChainError):
            return ""
        return ""

    async def _look_at_mined(self, mined: Mined) -> None:
        flight, counted = mined.flight, self._nonces.counted
        receipt = await self._receipt(flight) if counted <= flight.nonce else None
        # Before the first head nothing tells how deep it lies.
        depth, head = self._chain.burial_depth, self._heads.latest or mined.block
        match afterlife(mined, head=head, counted=counted, has_receipt=receipt is not None, depth=depth):
            case Afterlife.BURIED:
                del self._mined[flight.id]
            case Afterlife.KEEP:
                self._mined[flight.id] = Mined(flight, receipt.block if receipt else mined.block)
            case Afterlife.LOOK_AGAIN:
                self._mined[flight.id] = replace(mined, missing=mined.missing + 1)
            case Afterlife.HAND_OVER:
                self._mined[flight.id] = replace(mined, missing=mined.missing + 1)
                self._counters["refilled"] += 1
                _log.warning("transaction_vanished", hash=flight.last.hash, nonce=flight.nonce, block=mined.block)
                await self.hand_over(flight)
            case Afterlife.REOPEN:
                await self._reopen(flight)

    async def _reopen(self, flight: Flight) -> None:
        """Follow a transaction whose block is gone like one that no block ever had, so that its price may rise."""
        await self._store.reopen(flight)
        self._counters["reopened"] += 1
        _log.warning("transaction_reopened", hash=flight.last.hash, nonce=flight.nonce)
        self.tell(TransactionMoment.REORGANIZED, flight)
        del self._mined[flight.id]
        self._nonces.vanished(flight.nonce)
        self.hold(replace(flight, head=self._heads.latest, sent_s=self._clock.monotonic(), looks=0))


def _read(hash_: str, receipt: Mapping[str, Any]) -> Receipt:
    """Return a receipt; what chains leave out, and what is no quantity, counts as 0."""
    logs = receipt.get("logs")
    return Receipt(
        hash_,
        quantity(receipt["blockNumber"]),
        quantity(receipt.get("status")) == 1,
        _told(receipt.get("gasUsed")),
        _told(receipt.get("effectiveGasPrice")),
        tuple(each for each in logs if isinstance(each, dict)) if isinstance(logs, list) else (),
    )


def _told(value: object) -> int:
    try:
        return quantity(value)
    except Malformed:
        return 0
