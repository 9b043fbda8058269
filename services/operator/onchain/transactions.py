"""
The one sender of the operator's transactions: consecutive nonces, receipts waited for, failures explained.

    submit ─▶ wait for a receipt of any attempt ─┬─ nothing yet: the same bytes again
                                                 ├─ the chain wants more by now: another attempt with the same nonce
                                                 └─ a nonce under it is free again: what had it, once more
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import Submission
from chainlink.rpc.refusals import Refusal, of_transaction
from chainlink.rpc.transaction import UnsignedTransaction
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError
from meshkit.ethereum.keccak import keccak256
from services.operator.errors import ChainUnavailable, TransactionReverted
from services.operator.onchain.chain import CallReverted, Chain, Receipt
from services.operator.onchain.gas_price import GasPrice

_POLL_S = 0.25
_RESEND_S = 3.0
# So many times it is sent again before it is looked at whether the chain wants more by now, or a nonce is missing.
_RESENDS_BEFORE_CHANGE = 4
# An estimate holds for the state it was made on; the spare gas is not paid for.
_ESTIMATE_MARGIN_PERCENT = 125
_PLAIN_TRANSFER_GAS = 21_000
# A nonce that is taken again and again, or a price that never is enough, ends the patience.
_MOST_TRIES = 16
_NONCE_IS_TAKEN = (Refusal.NONCE_TOO_LOW, Refusal.REPLACEMENT)
# Behind one URL there may be a node that is behind the others: the highest of so many answers counts.
_NONCE_ASKED = 4
# Only if it is below what blocks had so often in a row, at different times, has the chain gone back or begun anew.
_DOUBTS_BEFORE_LOSS = 3
# And so many times a receipt is asked for that has to be somewhere, or another transaction has its nonce.
_RECEIPT_ASKED = 6
_MINED_KEPT = 64
_SENT_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Transaction:
    """
    Hold what to send; `to` is None for a deployment, `gas` None to have it estimated.

    With `only_after` it may have been sent before: it is sent only if all transactions from that nonce on are known to
    be others, and under no other nonce than the next.
    """

    purpose: str
    to: str | None
    data: bytes = b""
    value_wei: int = 0
    gas: int | None = None
    only_after: int | None = None


AboutToSend = Callable[[Transaction, int], None]


@dataclass(slots=True)
class _Waiting:
    """Hold a transaction that waits for its block; its attempts have one nonce, and rising prices."""

    transaction: Transaction
    nonce: int
    gas: int
    price_wei: int
    raw: bytes = field(repr=False)
    hashes: list[bytes]

    @property
    def hash(self) -> str:
        """Return the hash of the last attempt, as text."""
        return "0x" + self.hashes[-1].hex()


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
        self._price = GasPrice(gas_price_wei, most_gas_price_wei or gas_price_wei, clock)
        # The next nonce by what blocks are known to have, and the bytes of the last of these.
        self._used = 0
        self._doubts = 0
        self._mined: dict[int, bytes] = {}
        self._waiting: dict[int, _Waiting] = {}
        # What this process has sent under which nonce, whatever became of it.
        self._sent: dict[int, Transaction] = {}
        self._clock = clock
        self._deadline_s = deadline_s
        self._submission = asyncio.Lock()
        self._is_first = True
        self._log = log.get_logger("services.operator.onchain.transactions")

    @property
    def address(self) -> str:
        """Return the account's EIP-55 address."""
        return self._key.address

    @property
    def gas_price_wei(self) -> int:
        """Return what a transaction offers for each unit of gas."""
        return self._price.wei

    async def await_earlier(self) -> None:
        """
        Wait, once, for what an earlier process of this account has sent and no block has yet.

        Whoever looks at the chain before that would send the same again. What is still not in a block when the
        deadline of a transaction has passed is waited for no more.
        """
        if self._is_first:
            give_up_s = self._clock.monotonic() + self._deadline_s
            while (waiting := await self._chain.next_nonce(self.address)) > await self._chain.mined_nonce(self.address):
                if self._clock.monotonic() >= give_up_s:
                    self._log.warning("earlier_transactions_wait", next_nonce=waiting)
                    break
                await self._clock.sleep(_POLL_S)
        self._is_first = False

    async def send_all(
        self, transactions: Sequence[Transaction], about_to_send: AboutToSend | None = None
    ) -> list[Receipt | MeshError]:
        """
        Submit transactions in their order, so that one block can take them all, and wait for every receipt.

        `about_to_send` is told of each and its nonce before any endpoint is; what it raises keeps it from being sent.

        Returns one outcome for each, in order: the receipt, or TransactionReverted, ChainUnavailable or
        DeadlineExceeded. After one that cannot be submitted, the rest is not submitted and shares its error.
        """
        waiting: list[_Waiting] = []
        failure: MeshError | None = None
        async with self._submission:
            try:
                nonce = await self._next_nonce()
                for transaction in transactions:
                    self._check_only(transaction, nonce)
                    waiting.append(await self._submit(transaction, nonce, about_to_send))
                    self._waiting[waiting[-1].nonce] = waiting[-1]
                    self._sent[waiting[-1].nonce] = transaction
                    if len(self._sent) > _SENT_KEPT:
                        del self._sent[min(self._sent)]
                    nonce = waiting[-1].nonce + 1
            except MeshError as error:
                failure = error
        outcomes = await asyncio.gather(*map(self._outcome, waiting))
        rest = [] if failure is None else [failure] * (len(transactions) - len(waiting))
        return [*outcomes, *rest]

    async def _next_nonce(self) -> int:
        """Return the nonce behind all that wait; ChainUnavailable for less than blocks had, until it is said again."""
        found = 0
        for _ in range(_NONCE_ASKED):
            found = max(found, await self._chain.next_nonce(self.address))
            if self._used and found >= self._used:
                break
        self._doubts = self._doubts + 1 if found < self._used else 0
        if 0 < self._doubts < _DOUBTS_BEFORE_LOSS:
            # Under a nonce that a block has, a node that is behind would take a transaction that never arrives.
            what = f"the next nonce is {found}, and blocks had {self._used - 1} already; looking again"
            raise ChainUnavailable("eth_getTransactionCount", what)
        if self._doubts:
            self._used = self._doubts = 0
            self._mined.clear()
            self._sent.clear()
        return max(found, max(self._waiting, default=-1) + 1)

    def _check_only(self, transaction: Transaction, nonce: int) -> None:
        """Raise ChainUnavailable if a transaction may have been sent before, under a nonce before this one."""
        if transaction.only_after is None:
            return
        for earlier in range(transaction.only_after, nonce):
            sent = self._sent.get(earlier)
            if sent is None or (sent.to, sent.value_wei) == (transaction.to, transaction.value_wei):
                whose = "an earlier start or another program" if sent is None else "an earlier pass"
                what = f"the transaction of nonce {earlier}, which {whose} has sent, may be the same; waiting for it"
                raise ChainUnavailable(f"sending {transaction.purpose}", what)

    async def _submit(self, transaction: Transaction, nonce: int, about_to_send: AboutToSend | None = None) -> _Waiting:
        """Hand a transaction over, under a later nonce where that one is taken, for more where the pool wants more."""
        gas = transaction.gas
        if gas is None:
            gas = await self._estimate(transaction)
        price_wei: int | None = self._price.wei
        submission, too_high = Submission(False, False), set[int]()
        for _ in range(_MOST_TRIES):
            if price_wei is None:
                break
            raw = self._signed(transaction, nonce, gas, price_wei)
            if about_to_send is not None:
                about_to_send(transaction, nonce)
            submission = await self._chain.submit(raw)
            if submission.accepted or submission.uncertain:
                self._price.accepted()
                return _Waiting(transaction, nonce, gas, price_wei, raw, [keccak256(raw)])
            meanings = [of_transaction(refusal) for refusal in submission.refusals]
            taken = next((meaning for meaning in meanings if meaning.kind in _NONCE_IS_TAKEN), None)
            kinds = {meaning.kind for meaning in meanings}
            if taken is not None and transaction.only_after is not None:
                what = f"the nonce {nonce} is taken, perhaps by the same; looking again"
                raise ChainUnavailable(f"sending {transaction.purpose}", what)
            if taken is not None:
                nonce = max(nonce + 1, taken.next_nonce or 0)
            elif Refusal.UNDERPRICED in kinds:
                suggested = self._chain.suggested_gas_price_wei
                price_wei = await self._price.raised(price_wei, submission.refusals, suggested)
            elif Refusal.NONCE_TOO_HIGH in kinds and nonce not in too_high:
                too_high.add(nonce)
                nonce = await self._chain.next_nonce(self.address)
            else:
                break
        words = "; ".join(refusal.message for refusal in submission.refusals) or "no endpoint was reached"
        raise ChainUnavailable(f"sending {transaction.purpose}", words)

    def _signed(self, transaction: Transaction, nonce: int, gas: int, price_wei: int) -> bytes:
        # The old form with one price works on every chain; where there is a base fee, the rest is the tip.
        unsigned = UnsignedTransaction(
            self._chain.chain_id,
            nonce,
            price_wei,
            gas,
            transaction.to,
            transaction.data,
            value_wei=transaction.value_wei,
        )
        return unsigned.sign(self._key.private_key)

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
        finally:
            self._waiting.pop(waiting.nonce, None)
        self._used = max(self._used, waiting.nonce + 1)
        self._mined[waiting.nonce] = waiting.raw
        if len(self._mined) > _MINED_KEPT:
            del self._mined[min(self._mined)]
        if receipt.ok:
            return receipt
        reason = await self._reason(transaction, receipt.block)
        return TransactionReverted(transaction.purpose, waiting.hash, reason)

    async def _reason(self, transaction: Transaction, block: int) -> str:
        try:
            return await self._chain.revert_reason(
                self.address, transaction.to, transaction.data, transaction.value_wei, block
            )
        except ChainUnavailable as error:
            return f"reason unknown ({error})"

    async def _wait(self, waiting: _Waiting) -> Receipt:
        purpose = waiting.transaction.purpose
        started_s = self._clock.monotonic()
        resend_s, overtaken, resends = started_s + _RESEND_S, 0, 0
        while (now_s := self._clock.monotonic()) < started_s + self._deadline_s:
            receipt = await self._receipt(waiting)
            if receipt is not None:
                return receipt
            if now_s >= resend_s:
                resend_s, resends = now_s + _RESEND_S, resends + 1
                mined = await self._chain.mined_nonce(self.address)
                # Once is not enough: the block may have come since the receipt was asked for.
                overtaken = overtaken + 1 if mined > waiting.nonce else 0
                for _ in range(_RECEIPT_ASKED if overtaken else 0):
                    if (receipt := await self._receipt(waiting)) is not None:
                        return receipt
                if overtaken > 1:
                    raise ChainUnavailable(
                        purpose, f"another transaction took the nonce {waiting.nonce} of {waiting.hash}"
                    )
                if resends % _RESENDS_BEFORE_CHANGE == 0:
                    await self._fill_gap(mined)
                    await self._bump(waiting)
                await self._resend(waiting)
            await self._clock.sleep(_POLL_S)
        raise DeadlineExceeded(f"{purpose}: no block took transaction {waiting.hash} within {self._deadline_s:g} s")

    async def _receipt(self, waiting: _Waiting) -> Receipt | None:
        """Return the receipt of the attempt that a block has."""
        for attempt in reversed(waiting.hashes):
            if (receipt := await self._chain.receipt(attempt)) is not None:
                return receipt
        return None

    async def _resend(self, waiting: _Waiting) -> None:
        """Hand a transaction over again: an endpoint may have forgotten it, or never queued it behind the others."""
        submission = await self._chain.submit(waiting.raw)
        if not submission.accepted:
            words = [refusal.message for refusal in submission.refusals]
            self._log.debug("not_sent_again", hash=waiting.hash, errors=words)

    async def _bump(self, waiting: _Waiting) -> None:
        """Sign a transaction once more under its nonce, if the chain wants more than it offers by now."""
        price_wei = await self._price.replacing(waiting.price_wei, self._chain.suggested_gas_price_wei)
        if price_wei is None:
            return
        self._log.warning("transaction_bumped", hash=waiting.hash, offered_wei=waiting.price_wei, now_wei=price_wei)
        waiting.raw = self._signed(waiting.transaction, waiting.nonce, waiting.gas, price_wei)
        waiting.price_wei = price_wei
        waiting.hashes.append(keccak256(waiting.raw))

    async def _fill_gap(self, mined: int) -> None:
        """Hand over again what blocks had and have no more, as after a reorganisation: what is behind waits for it."""
        for nonce in range(mined, min(self._waiting, default=mined)):
            if (raw := self._mined.get(nonce)) is not None:
                self._log.warning("transaction_vanished", nonce=nonce, hash="0x" + keccak256(raw).hex())
                await self._chain.submit(raw)
