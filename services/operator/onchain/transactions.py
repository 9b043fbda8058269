"""The one sender of the operator's transactions: consecutive nonces, receipts waited for, failures explained."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3.types import TxReceipt

from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError
from services.operator.errors import ChainUnavailable, TransactionReverted
from services.operator.onchain.chain import CallReverted, Chain

_POLL_S = 0.25
_RESEND_S = 3.0
# An estimate holds for the state it was made on; the spare gas is not paid for.
_ESTIMATE_MARGIN_PERCENT = 125
_PLAIN_TRANSFER_GAS = 21_000


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
    """Send transactions of one account, several at once if wanted; nobody else may send from it meanwhile."""

    def __init__(self, chain: Chain, private_key: str, gas_price_wei: int, clock: Clock, deadline_s: float) -> None:
        self._chain = chain
        self._account: LocalAccount = Account.from_key(private_key)
        self._gas_price_wei = gas_price_wei
        self._clock = clock
        self._deadline_s = deadline_s
        self._submission = asyncio.Lock()
        self._log = log.get_logger("services.operator.onchain.transactions")

    @property
    def address(self) -> str:
        """Return the account's EIP-55 address."""
        return str(self._account.address)

    async def send_all(self, transactions: Sequence[Transaction]) -> list[TxReceipt | MeshError]:
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
                    waiting.append(await self._submit(transaction, nonce + len(waiting)))
            except MeshError as error:
                failure = error
        outcomes = await asyncio.gather(*map(self._outcome, waiting))
        rest = [] if failure is None else [failure] * (len(transactions) - len(waiting))
        return [*outcomes, *rest]

    async def _submit(self, transaction: Transaction, nonce: int) -> _Waiting:
        gas = transaction.gas
        if gas is None:
            gas = await self._estimate(transaction)
        request: dict[str, Any] = {
            "chainId": self._chain.chain_id,
            "nonce": nonce,
            # The old form with one price works on every chain; where there is a base fee, the rest is the tip.
            "gasPrice": self._gas_price_wei,
            "gas": gas,
            "value": transaction.value_wei,
            "data": transaction.data,
        }
        if transaction.to is not None:
            request["to"] = transaction.to
        signed = self._account.sign_transaction(request)
        raw = bytes(signed.raw_transaction)
        try:
            return _Waiting(transaction, nonce, raw, await self._chain.send(raw))
        except CallReverted as error:
            raise ChainUnavailable(f"sending {transaction.purpose}", str(error)) from error

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

    async def _outcome(self, waiting: _Waiting) -> TxReceipt | MeshError:
        transaction = waiting.transaction
        try:
            receipt = await self._wait(waiting)
            if receipt["status"] == 1:
                return receipt
            reason = await self._chain.revert_reason(
                self.address, transaction.to, transaction.data, transaction.value_wei, receipt["blockNumber"]
            )
        except MeshError as error:
            return error
        return TransactionReverted(transaction.purpose, "0x" + waiting.hash.hex(), reason)

    async def _wait(self, waiting: _Waiting) -> TxReceipt:
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
        try:
            await self._chain.send(waiting.raw)
        except (CallReverted, ChainUnavailable) as error:
            # Mostly "already known".
            self._log.debug("not_sent_again", hash="0x" + waiting.hash.hex(), error=str(error))
