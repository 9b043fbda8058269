"""
The account that transmits: nonces, signing, and every transaction followed until a block has it or it is lost.

    send ──▶ one at a time: nonce, price, signature ──▶ database ──▶ every endpoint ──▶ under way
                                                                                          ▲    │
    follow task, while anything is under way: each head or second ── look, decide, act ───┘    ▼
                                                                                            settled
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chainlink.keys.evm import EvmKey
from chainlink.rpc.answers import quantity
from chainlink.rpc.client import RpcClient, Submission
from chainlink.rpc.errors import ChainError, RpcRefused, RpcUnavailable
from chainlink.rpc.transaction import UnsignedTransaction, transaction_hash
from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.errors import Unfunded
from services.oracle.chain.flight import Attempt, Flight, Receipt, Sight, Turn, Verdict, hashes, judge, next_nonce, turn
from services.oracle.chain.gas import Fees, bumped, first_fees
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.market import PriceSource
from services.oracle.chain.settings import EvmSettings
from services.oracle.errors import DatabaseUnavailable
from services.oracle.store.transactions import TransactionState, TransactionStore

_log = log.get_logger(__name__)
# A nonce that others take again and again, or a price that never is enough, ends the patience.
_MOST_TRIES = 5
_SETTLED: Mapping[Turn, TransactionState] = {
    Turn.CONFIRMED: "confirmed",
    Turn.REVERTED: "reverted",
    Turn.LOST: "lost",
}


@dataclass(slots=True)
class UnderWay:
    """Hold a transaction under way and what tells of its end."""

    flight: Flight
    settled: asyncio.Future[TransactionState]


class Account:
    """
    Send transactions of one key, whichever feed they are for.

    Attributes:
        counters: sent, confirmed, reverted, lost, resent, bumped, bump_limit, nonce_taken, underpriced, unfunded,
            refused.
        unfunded: The chain's own words, as long as the last transaction could not be paid; else empty.
    """

    def __init__(
        self,
        key: EvmKey,
        rpc: RpcClient,
        heads: HeadTracker,
        chain: EvmSettings,
        store: TransactionStore,
        clock: Clock,
    ) -> None:
        self.address = key.address
        self.counters: Counter[str] = Counter()
        self.unfunded = ""
        self._key = key
        self._rpc = rpc
        self._heads = heads
        self._chain = chain
        self._store = store
        self._clock = clock
        self._prices = PriceSource(rpc, heads, chain.gas_estimator)
        self._sending = asyncio.Lock()
        self._under_way: dict[uuid.UUID, UnderWay] = {}
        self._room = asyncio.Condition()
        self._sending_to: dict[str, asyncio.Task[asyncio.Future[TransactionState]]] = {}
        self._follower: asyncio.Task[None] | None = None
        self._floor = self._mined = 0
        self._pending: int | None = None
        self._rewinds = heads.rewinds

    def under_way(self, to: str) -> UnderWay | None:
        """Return a transaction to an address that no block has yet."""
        return next((held for held in self._under_way.values() if held.flight.to == to), None)

    async def quiet(self, to: str, data: bytes) -> bool:
        """Wait until nothing to an address is under way any more; return False at once if these very data are."""
        while True:
            if (sending := self._sending_to.get(to)) is not None:
                await asyncio.wait({sending})
            elif (held := self.under_way(to)) is None:
                return True
            elif held.flight.data == data:
                return False
            else:
                await asyncio.wait({held.settled})

    async def send(self, to: str, data: bytes, gas_limit: int) -> asyncio.Future[TransactionState]:
        """
        Hand a transaction to the chain; return what tells of its end.

        Whoever cancels this in time stops it; once it is signed it goes on, and `quiet` knows of it.

        Raises:
            Unfunded, RpcRefused: when the chain does not take it: nothing of it remains.
            RpcUnavailable: when no endpoint was reached: nothing of it remains.
            DatabaseUnavailable: when it could not be written down: it was not sent.
        """
        await self._sending.acquire()
        try:
            await self._has_room()
        except asyncio.CancelledError:
            self._sending.release()
            raise
        sending = asyncio.get_running_loop().create_task(self._send(to, data, gas_limit))
        self._sending_to[to] = sending
        sending.add_done_callback(lambda task: self._sent(to, task))
        return await asyncio.shield(sending)

    async def resume(self) -> None:
        """Take up what was under way when the node stopped: each goes out once more as it is, under its nonce."""
        for flight in await self._store.under_way(self.address):
            _log.info("transaction_resumed", hash=flight.last.hash, nonce=flight.nonce)
            self._hold(flight)

    async def close(self) -> None:
        """Stop; what is under way, or just being sent, is taken up at the next start."""
        tasks = [*self._sending_to.values(), *([self._follower] if self._follower else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _has_room(self) -> None:
        most = self._chain.transactions.max_in_flight
        async with self._room:
            await self._room.wait_for(lambda: not most or len(self._under_way) < most)

    def _sent(self, to: str, task: "asyncio.Task[asyncio.Future[TransactionState]]") -> None:
        self._sending.release()
        if self._sending_to.get(to) is task:
            del self._sending_to[to]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever asked for it may be gone already.
            _log.debug("sending_failed", to=to, error=str(error))

    async def _send(self, to: str, data: bytes, gas_limit: int) -> asyncio.Future[TransactionState]:
        self._notice_rewind()
        fees: Fees | None = first_fees(self._chain.gas_estimator, await self._prices.market())
        submission = Submission(False, False)
        for _ in range(_MOST_TRIES):
            if fees is None:
                break
            flight = self._signed(Flight(uuid.uuid4(), to, data, gas_limit, await self._nonce(), ()), fees)
            await self._store.begin(self.address, flight)
            submission = await self._rpc.submit(flight.last.raw)
            verdict = judge(submission)
            if verdict in (Verdict.ACCEPTED, Verdict.UNCERTAIN):
                self.counters["sent"] += 1
                self.unfunded = ""
                return self._hold(flight).settled
            await self._drop(flight, verdict, submission)
            if verdict is Verdict.NONCE_TAKEN:
                self._floor = flight.nonce + 1
            elif verdict is Verdict.UNDERPRICED:
                fees = bumped(self._chain.gas_estimator, fees, await self._prices.market())
            else:
                break
        raise self._refusal(submission)

    async def _nonce(self) -> int:
        if not self._under_way or self._pending is None:
            self._pending = await self._rpc.number("eth_getTransactionCount", self.address, "pending")
        held = {held.flight.nonce for held in self._under_way.values()}
        return next_nonce(max(self._pending, self._mined), held, self._floor)

    def _signed(self, flight: Flight, fees: Fees) -> Flight:
        """Return the transaction with one more attempt."""
        number, limit = self._chain.number, flight.gas_limit
        unsigned = UnsignedTransaction(
            number, flight.nonce, fees.cap_wei, limit, flight.to, flight.data, tip_wei=fees.tip_wei
        )
        raw = unsigned.sign(self._key.private_key)
        attempt = Attempt(transaction_hash(raw), fees, raw)
        return replace(
            flight,
            attempts=(*flight.attempts, attempt),
            head=self._heads.latest,
            sent_s=self._clock.monotonic(),
        )

    async def _drop(self, flight: Flight, verdict: Verdict, submission: Submission) -> None:
        name = verdict.name.lower()
        self.counters[name] += 1
        said = [refusal.message for refusal in submission.refusals]
        _log.warning("transaction_not_taken", verdict=name, nonce=flight.nonce, to=flight.to, errors=said)
        await self._store.drop(flight)

    def _refusal(self, submission: Submission) -> Exception:
        if not submission.refusals:
            return RpcUnavailable("eth_sendRawTransaction: no endpoint was reached")
        worst: RpcRefused = submission.refusals[0]
        if judge(submission) is Verdict.UNFUNDED:
            self.unfunded = worst.message
            return Unfunded(self.address, worst.message)
        return worst

    def _hold(self, flight: Flight) -> UnderWay:
        held = UnderWay(flight, asyncio.get_running_loop().create_future())
        self._under_way[flight.id] = held
        if self._follower is None or self._follower.done():
            self._follower = asyncio.get_running_loop().create_task(self._follow())
        return held

    async def _follow(self) -> None:
        while self._under_way:
            try:
                await self._look()
            except (RpcUnavailable, ChainError, DatabaseUnavailable) as error:
                _log.debug("transactions_not_followed", error=str(error))
            except Exception:
                # A defect must not leave every feed of this account waiting; it is tried again with the next head.
                self.counters["internal_errors"] += 1
                _log.exception("following_failed", address=self.address)
            if self._under_way:
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
        """Look at everything under way once, lowest nonce first."""
        self._notice_rewind()
        self._mined = max(self._mined, await self._rpc.number("eth_getTransactionCount", self.address, "latest"))
        self._pending = await self._rpc.number("eth_getTransactionCount", self.address, "pending")
        for held in sorted(self._under_way.values(), key=lambda held: held.flight.nonce):
            try:
                await self._look_at(held)
            except ChainError as error:
                _log.warning("transaction_not_followed", hash=held.flight.last.hash, error=str(error))

    async def _look_at(self, held: UnderWay) -> None:
        if held.flight.head is None:
            # Taken up from an earlier run: its wait for a higher price begins now.
            held.flight = replace(held.flight, head=self._heads.latest)
        receipt = await self._receipt(held.flight) if self._mined > held.flight.nonce else None
        sight = Sight(self._heads.latest, self._clock.monotonic(), self._mined, self._pending or 0, receipt)
        nonces = {other.flight.nonce for other in self._under_way.values()}
        threshold = self._chain.gas_estimator.bump_threshold
        what = turn(held.flight, sight, nonces, bump_threshold=threshold, resend_s=self._chain.resend_s)
        await self._act(held, what, receipt)

    async def _receipt(self, flight: Flight) -> Receipt | None:
        for found in hashes(flight):
            receipt = await self._rpc.call("eth_getTransactionReceipt", found)
            if isinstance(receipt, dict) and receipt.get("blockNumber") is not None:
                return Receipt(found, quantity(receipt["blockNumber"]), quantity(receipt.get("status")) == 1)
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
            await self._hand_over_again(held)
            self.counters["resent"] += 1

    async def _bump(self, held: UnderWay) -> bool:
        """Offer more; tell whether there was room for it."""
        fees = bumped(self._chain.gas_estimator, held.flight.last.fees, await self._prices.market())
        if fees is None:
            self.counters["bump_limit"] += 1
            _log.warning("gas_price_at_its_limit", hash=held.flight.last.hash, nonce=held.flight.nonce)
            # The next blocks are waited for again before the limit is told once more.
            held.flight = replace(held.flight, head=self._heads.latest)
            return False
        flight = self._signed(held.flight, fees)
        await self._store.attempt(flight)
        held.flight = flight
        _log.info("gas_price_bumped", hash=flight.last.hash, nonce=flight.nonce, cap_wei=fees.cap_wei)
        await self._hand_over_again(held)
        self.counters["bumped"] += 1
        return True

    async def _hand_over_again(self, held: UnderWay) -> None:
        submission = await self._rpc.submit(held.flight.last.raw)
        verdict = judge(submission)
        if verdict in (Verdict.UNFUNDED, Verdict.UNDERPRICED, Verdict.REFUSED):
            self.counters[verdict.name.lower()] += 1
            said = [refusal.message for refusal in submission.refusals]
            _log.warning("transaction_not_taken", verdict=verdict.value, nonce=held.flight.nonce, errors=said)
        if verdict is Verdict.UNFUNDED:
            self.unfunded = submission.refusals[0].message
        elif verdict is Verdict.ACCEPTED:
            self.unfunded = ""

    async def _settle(self, held: UnderWay, state: TransactionState, receipt: Receipt | None) -> None:
        flight, block = held.flight, receipt.block if receipt else None
        await self._store.settle(flight, state, receipt.hash if receipt else None, block)
        self.counters[state] += 1
        _log.info("transaction_settled", hash=flight.last.hash, state=state, block=block, nonce=flight.nonce)
        if receipt is not None:
            self._mined = max(self._mined, flight.nonce + 1)
        else:
            # Whoever had the nonces under it may have lost them too: the chain's count decides again.
            self._floor = 0
        del self._under_way[flight.id]
        held.settled.set_result(state)
        async with self._room:
            self._room.notify_all()

    def _notice_rewind(self) -> None:
        # A chain that goes back, as a dev chain does that starts from an older snapshot, counts anew.
        if self._rewinds != self._heads.rewinds:
            self._rewinds = self._heads.rewinds
            self._floor, self._mined, self._pending = 0, 0, None
