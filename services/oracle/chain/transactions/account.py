"""
The account that transmits: nonces and signatures, one transaction at a time.

    send ──▶ nonce, price, signature ──▶ database ──▶ every endpoint ──▶ followed until a block has it (or refused)
"""

import asyncio
import uuid
from collections import Counter
from dataclasses import replace

from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import RpcClient, Submission
from chainlink.rpc.errors import RpcUnavailable
from chainlink.rpc.transaction import UnsignedTransaction, transaction_hash
from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.errors import Unfunded
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import EvmSettings
from services.oracle.chain.transactions.fee_bumping import Fees
from services.oracle.chain.transactions.follower import TransactionFollower, UnderWay
from services.oracle.chain.transactions.gas_market import PriceSource
from services.oracle.chain.transactions.gas_price_source import Pricing
from services.oracle.chain.transactions.in_flight import Attempt, Flight, Verdict, judge, told_nonce
from services.oracle.chain.transactions.kept_transactions import KeptTransactions, TransactionState
from services.oracle.chain.transactions.nonces import Nonces
from services.oracle.chain.transactions.transaction_news import Follow, TransactionMoment, nobody

_log = log.get_logger(__name__)
# A nonce that others take again and again, or a price that never is enough, ends the patience.
_MOST_TRIES = 16
_ASKED_WITHOUT_MEMORY = 4


class Account:
    """
    Send transactions of one key, whichever feed they are for.

    Attributes:
        counters: sent, confirmed, reverted, lost, resent, bumped, bump_limit, refilled, reopened, nonce_taken,
            nonce_gap, underpriced, floor_above_limit, unfunded, refused.
    """

    def __init__(
        self,
        key: EvmKey,
        rpc: RpcClient,
        heads: HeadTracker,
        chain: EvmSettings,
        store: KeptTransactions,
        clock: Clock,
        follow: Follow = nobody,
    ) -> None:
        self.address = key.address
        self.counters: Counter[str] = Counter()
        self._key = key
        self._rpc = rpc
        self._heads = heads
        self._chain = chain
        self._store = store
        self._clock = clock
        self._nonces = Nonces()
        prices = PriceSource(rpc, heads, chain.gas_estimator)
        self._pricing = Pricing(chain.gas_estimator, prices, clock)
        self._sending = asyncio.Lock()
        self._sending_to: dict[str, asyncio.Task[asyncio.Future[TransactionState]]] = {}
        self._follower = TransactionFollower(
            key.address,
            rpc,
            heads,
            chain,
            store,
            clock,
            nonces=self._nonces,
            pricing=self._pricing,
            sign=self._signed,
            counters=self.counters,
            follow=follow,
        )

    @property
    def unfunded(self) -> str:
        """Return the chain's own words, as long as the last transaction could not be paid; else empty."""
        return self._follower.unfunded

    @property
    def trouble(self) -> str:
        """Return why this account cannot transmit now; empty if nothing is known to be in its way."""
        return self.unfunded or self._pricing.trouble

    def under_way(self, to: str) -> UnderWay | None:
        """Return a transaction to an address that no block has yet."""
        return next((held for held in self._follower.under_way.values() if held.flight.to == to), None)

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
        """
        Take up what an earlier run left.

        What was under way goes out once more as it is, under its nonce; what a block had is watched until it is buried.
        """
        for mined in await self._store.mined(self.address, self._chain.burial_depth):
            self._follower.watch(mined)
        for flight in await self._store.under_way(self.address):
            _log.info("transaction_resumed", hash=flight.last.hash, nonce=flight.nonce)
            self._follower.hold(flight)

    async def close(self) -> None:
        """Stop; what is under way, or just being sent, is taken up at the next start."""
        tasks = [*self._sending_to.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._follower.close()

    async def _has_room(self) -> None:
        most, follower = self._chain.transactions.max_in_flight, self._follower
        async with follower.room:
            await follower.room.wait_for(lambda: not most or len(follower.under_way) < most)

    def _sent(self, to: str, task: "asyncio.Task[asyncio.Future[TransactionState]]") -> None:
        self._sending.release()
        if self._sending_to.get(to) is task:
            del self._sending_to[to]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Whoever asked for it may be gone already.
            _log.debug("sending_failed", to=to, error=str(error))

    async def _send(self, to: str, data: bytes, gas_limit: int) -> asyncio.Future[TransactionState]:
        self._follower.notice_rewind()
        fees: Fees | None = await self._pricing.first()
        submission, too_high = Submission(False, False), set[int]()
        for _ in range(_MOST_TRIES):
            if fees is None:
                self.counters["floor_above_limit"] += 1
                break
            flight = self._signed(Flight(uuid.uuid4(), to, data, gas_limit, await self._nonce(), ()), fees)
            await self._store.begin(self.address, flight)
            submission = await self._rpc.submit(flight.last.raw)
            verdict = judge(submission)
            if verdict in (Verdict.ACCEPTED, Verdict.UNCERTAIN):
                self.counters["sent"] += 1
                self._follower.unfunded = ""
                self._pricing.accepted()
                self._follower.tell(TransactionMoment.HANDED_OVER, flight)
                return self._follower.hold(flight).settled
            await self._drop(flight, verdict, submission)
            if verdict is Verdict.NONCE_TAKEN:
                self._nonces.taken(flight.nonce, told_nonce(submission))
            elif verdict is Verdict.NONCE_GAP and flight.nonce not in too_high:
                too_high.add(flight.nonce)
                self._nonces.too_high()
            elif verdict is Verdict.UNDERPRICED:
                fees = await self._pricing.raised(fees, submission)
            else:
                break
        raise self._refusal(submission)

    async def _nonce(self) -> int:
        if not self._follower.under_way or self._nonces.pending is None:
            # With nothing known of the account, one answer may be that of a node which is behind.
            asked = 1 if self._nonces.mined else _ASKED_WITHOUT_MEMORY
            method = "eth_getTransactionCount"
            self._nonces.pending = max([await self._rpc.number(method, self.address, "pending") for _ in range(asked)])
        return self._nonces.next(self._follower.own_nonces)

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
        worst = submission.refusals[0]
        if judge(submission) is Verdict.UNFUNDED:
            self._follower.unfunded = worst.message
            return Unfunded(self.address, worst.message)
        return worst
