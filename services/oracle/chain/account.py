"""The account that transmits: nonces, signing, and the way of each transaction until it is in a block or lost."""

import asyncio
from collections import Counter

from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.errors import ChainError, RpcRefused
from services.oracle.chain.gas import gas_price_wei
from services.oracle.chain.rpc import RpcClient, quantity
from services.oracle.chain.transaction import LegacyTransaction, transaction_hash
from services.oracle.errors import DatabaseUnavailable, RpcUnavailable
from services.oracle.keys.evm import EvmKey
from services.oracle.settings import EvmSettings
from services.oracle.store.transactions import SentTransaction, TransactionState, TransactionStore

_log = log.get_logger(__name__)
_RESEND_EVERY = 10
_GIVE_UP_AFTER = 120


class Account:
    """
    Send transactions of one key, whichever feed they are for.

    The next nonce is the larger of the chain's pending count and our own count, as long as something of ours is under
    way; once nothing is, the chain's count alone decides, so that a chain that was rewound is followed.
    """

    def __init__(self, key: EvmKey, rpc: RpcClient, chain: EvmSettings, store: TransactionStore, clock: Clock) -> None:
        self.address = key.address
        self.counters: Counter[str] = Counter()
        self._key = key
        self._rpc = rpc
        self._chain = chain
        self._store = store
        self._clock = clock
        self._sending = asyncio.Lock()
        self._under_way: dict[str, int] = {}
        self._followers: set[asyncio.Task[None]] = set()

    async def send(self, to: str, data: bytes, gas_limit: int) -> "asyncio.Task[None]":
        """
        Hand a transaction to the chain; return the task that follows it to its end.

        Raises:
            RpcRefused: when the chain does not take it.
            RpcUnavailable: when the chain cannot be reached.
        """
        async with self._sending:
            try:
                sent = await self._submit(to, data, gas_limit)
            except RpcRefused as error:
                # Our count is wrong after a rewind or a restart: forget it and believe the chain, once.
                if "nonce" not in error.message.lower():
                    raise
                _log.warning("nonce_refused", address=self.address, error=error.message)
                self._under_way.clear()
                sent = await self._submit(to, data, gas_limit)
        return self._follow(sent)

    async def resume(self) -> None:
        """Follow what was under way when the node stopped, sending it once more where the chain forgot it."""
        for sent in await self._store.unconfirmed(self.address):
            self._under_way[sent.hash] = sent.nonce
            self._follow(sent)

    async def close(self) -> None:
        """Stop following; what is under way is taken up again at the next start."""
        for task in self._followers:
            task.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)

    async def _submit(self, to: str, data: bytes, gas_limit: int) -> SentTransaction:
        pending = await self._rpc.number("eth_getTransactionCount", self.address, "pending")
        nonce = max(pending, *(held + 1 for held in self._under_way.values())) if self._under_way else pending
        price = await gas_price_wei(self._rpc, self._chain.gas_estimator)
        unsigned = LegacyTransaction(nonce, price, gas_limit, to, data, self._chain.number)
        raw = unsigned.sign(self._key.private_key)
        sent = SentTransaction(transaction_hash(raw), self.address, to, nonce, raw)
        await self._rpc.call("eth_sendRawTransaction", "0x" + raw.hex())
        self._under_way[sent.hash] = nonce
        self.counters["sent"] += 1
        return sent

    def _follow(self, sent: SentTransaction) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._until_settled(sent))
        self._followers.add(task)
        task.add_done_callback(self._followers.discard)
        return task

    async def _until_settled(self, sent: SentTransaction) -> None:
        try:
            await self._record(sent)
            state, block = await self._settlement(sent)
            self.counters[state] += 1
            _log.info("transaction_settled", hash=sent.hash, state=state, block=block, nonce=sent.nonce)
            await self._store.settled(sent.hash, state, block)
        except DatabaseUnavailable as error:
            _log.warning("transaction_not_recorded", hash=sent.hash, error=str(error))
        finally:
            self._under_way.pop(sent.hash, None)

    async def _record(self, sent: SentTransaction) -> None:
        try:
            await self._store.sent(sent)
        except DatabaseUnavailable as error:
            # The chain has it already; a lost record only means that it is not followed after a restart.
            _log.warning("transaction_not_recorded", hash=sent.hash, error=str(error))

    async def _settlement(self, sent: SentTransaction) -> tuple[TransactionState, int | None]:
        for attempt in range(_GIVE_UP_AFTER):
            await self._clock.sleep(1.0 if self._chain.simulated else 3.0)
            try:
                receipt = await self._rpc.call("eth_getTransactionReceipt", sent.hash)
                if isinstance(receipt, dict) and receipt.get("blockNumber") is not None:
                    state: TransactionState = "confirmed" if quantity(receipt.get("status")) == 1 else "reverted"
                    return state, quantity(receipt["blockNumber"])
                known = await self._rpc.call("eth_getTransactionByHash", sent.hash)
                mined = await self._rpc.number("eth_getTransactionCount", self.address, "latest")
                if known is None and (mined != sent.nonce or attempt >= 2):
                    return "lost", None
                if known is not None and mined > sent.nonce:
                    continue
                if known is None or attempt % _RESEND_EVERY == _RESEND_EVERY - 1:
                    await self._rpc.call("eth_sendRawTransaction", "0x" + sent.raw.hex())
            except (RpcUnavailable, ChainError) as error:
                _log.debug("receipt_unknown", hash=sent.hash, error=str(error))
        return "lost", None
