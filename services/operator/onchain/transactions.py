"""The one sender of the operator's transactions: consecutive nonces, receipts waited for, failures explained."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from chainlink.keccak import keccak
from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import Submission
from chainlink.rpc.refusals import Meaning, Refusal, of_transaction
from chainlink.rpc.transaction import UnsignedTransaction
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError
from services.operator.errors import ChainUnavailable, TransactionReverted
from services.operator.onchain.chain import CallReverted, Chain, Receipt

_POLL_S = 0.25
_RESEND_S = 3.0
# An estimate holds for the state it was made on; the spare gas is not paid for.
_ESTIMATE_MARGIN_PERCENT = 125
_PLAIN_TRANSFER_GAS = 21_000
# A nonce that is taken again and again, or a price that never is enough, ends the patience.
_MOST_TRIES = 16
_NONCE_IS_TAKEN = (Refusal.NONCE_TOO_LOW, Refusal.REPLACEMENT)


@dataclass(frozen=True, slots=True)
class Transaction:
    """Hold what to send; `to` is None for a deployment, `gas` None to have it estimated."""

    purpose: str
    to: str | None
    data: bytes = b""
    value_wei: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Hold a transaction that was handed over and waits for its block."""

    transaction: Transaction
    nonce: int
    raw: bytes = field(repr=False)
    hash: bytes


class Sender:
    """
    Send transactions of one account, several at once if wanted; nobody else may send from it meanwhile.

    They offer `gas_price_wei`, or what a pool says that it wants at least, up to `most_gas_price_wei`.
    """

    def __init__(
        self,
        chain: Chain,
        private_key: str,
        gas_price_wei: int,
        clock: Clock,
        deadline_s: float,
        *,
        most_gas_price_wei: int | None = None,
    ) -> None:
        self._chain = chain
        self._key = EvmKey.from_plaintext(bytes.fromhex(private_key.removeprefix("0x")))
        self._gas_price_wei = gas_price_wei
        self._most_gas_price_wei = gas_price_wei if most_gas_price_wei is None else most_gas_price_wei
        self._clock = clock
        self._deadline_s = deadline_s
        self._submission = asyncio.Lock()
        self._log = log.get_logger("services.operator.onchain.transactions")

    @property
    def address(self) -> str:
        """Return the account's EIP-55 address."""
        return self._key.address

    @property
    def gas_price_wei(self) -> int:
        """Return what a transaction offers for each unit of gas."""
        return self._gas_price_wei

    async def send_all(self, transactions: Sequence[Transaction]) -> list[Receipt | MeshError]:
        """
        Submit transactions in their order, so that one block can take them all, and wait for every receipt.

        Returns one outcome for each, in order: the receipt, or TransactionReverted, ChainUnavailable or
        DeadlineExceeded. After one that cannot be submitted, the rest is not submitted and shares its error.
        """
        waiting: list[_Waiting] = []
        failure: MeshError | None = None
        async with self._submission:
            try:
                nonce = await self._chain.next_nonce(self.address)
                for transaction in transactions:
                    waiting.append(await self._submit(transaction, nonce))
                    nonce = waiting[-1].nonce + 1
            except MeshError as error:
                failure = error
        outcomes = await asyncio.gather(*map(self._outcome, waiting))
        rest = [] if failure is None else [failure] * (len(transactions) - len(waiting))
        return [*outcomes, *rest]

    async def _submit(self, transaction: Transaction, nonce: int) -> _Waiting:
        """Hand a transaction over, under a later nonce where that one is taken, for more where the pool wants more."""
        gas = transaction.gas
        if gas is None:
            gas = await self._estimate(transaction)
        submission = Submission(False, False)
        for _ in range(_MOST_TRIES):
            raw = self._signed(transaction, nonce, gas)
            submission = await self._chain.submit(raw)
            if submission.accepted or submission.uncertain:
                return _Waiting(transaction, nonce, raw, keccak(raw))
            taken = next((m for m in map(of_transaction, submission.refusals) if m.kind in _NONCE_IS_TAKEN), None)
            wanted = [m for m in map(of_transaction, submission.refusals) if m.kind is Refusal.UNDERPRICED]
            if taken is not None:
                nonce = max(nonce + 1, taken.next_nonce or 0)
            elif not wanted or not self._raise_price(wanted):
                break
        words = "; ".join(refusal.message for refusal in submission.refusals) or "no endpoint was reached"
        raise ChainUnavailable(f"sending {transaction.purpose}", words)

    def _signed(self, transaction: Transaction, nonce: int, gas: int) -> bytes:
        # The old form with one price works on every chain; where there is a base fee, the rest is the tip.
        unsigned = UnsignedTransaction(
            self._chain.chain_id,
            nonce,
            self._gas_price_wei,
            gas,
            transaction.to,
            transaction.data,
            value_wei=transaction.value_wei,
        )
        return unsigned.sign(self._key.private_key)

    def _raise_price(self, wanted: Sequence[Meaning]) -> bool:
        """Offer from now on what the pools say that they want; tell whether that helps."""
        floor_wei = max(max(meaning.tip_wei or 0, meaning.cap_wei or 0) for meaning in wanted)
        if floor_wei > self._most_gas_price_wei:
            self._log.error("gas_floor_above_limit", floor_wei=floor_wei, most_wei=self._most_gas_price_wei)
            return False
        if floor_wei <= self._gas_price_wei:
            return False
        self._log.warning("gas_floor_learnt", floor_wei=floor_wei, offered_wei=self._gas_price_wei)
        self._gas_price_wei = floor_wei
        return True

    async def _estimate(self, transaction: Transaction) -> int:
        try:
            estimate = await self._chain.estimate_gas(
                self.address, transaction.to, transaction.data, transaction.value_wei
            )
        except CallReverted as error:
            raise TransactionReverted(transaction.purpose, "not sent", str(error)) from error
        if estimate == _PLAIN_TRANSFER_GAS:
            return estimate
        return estimate * _ESTIMATE_MARGIN_PERCENT // 100

    async def _outcome(self, waiting: _Waiting) -> Receipt | MeshError:
        transaction = waiting.transaction
        try:
            receipt = await self._wait(waiting)
        except MeshError as error:
            return error
        if receipt.ok:
            return receipt
        reason = await self._reason(transaction, receipt.block)
        return TransactionReverted(transaction.purpose, "0x" + waiting.hash.hex(), reason)

    async def _reason(self, transaction: Transaction, block: int) -> str:
        try:
            return await self._chain.revert_reason(
                self.address, transaction.to, transaction.data, transaction.value_wei, block
            )
        except ChainUnavailable as error:
            return f"reason unknown ({error})"

    async def _wait(self, waiting: _Waiting) -> Receipt:
        purpose, text = waiting.transaction.purpose, "0x" + waiting.hash.hex()
        started_s = self._clock.monotonic()
        resend_s, overtaken = started_s + _RESEND_S, 0
        while (now_s := self._clock.monotonic()) < started_s + self._deadline_s:
            receipt = await self._chain.receipt(waiting.hash)
            if receipt is not None:
                return receipt
            if now_s >= resend_s:
                resend_s = now_s + _RESEND_S
                # Once is not enough: the block may have come since the receipt was asked for.
                overtaken = overtaken + 1 if await self._chain.mined_nonce(self.address) > waiting.nonce else 0
                if overtaken > 1:
                    raise ChainUnavailable(purpose, f"another transaction took the nonce {waiting.nonce} of {text}")
                await self._resend(waiting)
            await self._clock.sleep(_POLL_S)
        raise DeadlineExceeded(f"{purpose}: no block took transaction {text} within {self._deadline_s:g} s")

    async def _resend(self, waiting: _Waiting) -> None:
        """Hand a transaction over again: an endpoint may have forgotten it, or never queued it behind the others."""
        submission = await self._chain.submit(waiting.raw)
        if not submission.accepted:
            words = [refusal.message for refusal in submission.refusals]
            self._log.debug("not_sent_again", hash="0x" + waiting.hash.hex(), errors=words)
