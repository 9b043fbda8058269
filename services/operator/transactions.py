"""The one sender of the operator's transactions: consecutive nonces, receipts waited for, failures explained."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3.types import TxReceipt

from meshkit.clock import Clock
from meshkit.errors import DeadlineExceeded, MeshError
from services.operator.chain import CallReverted, Chain
from services.operator.errors import ChainUnavailable, TransactionReverted

_POLL_S = 0.25
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


class Sender:
    """Send transactions of one account, several at once if wanted; nobody else may send from it meanwhile."""

    def __init__(self, chain: Chain, private_key: str, gas_price_wei: int, clock: Clock, deadline_s: float) -> None:
        self._chain = chain
        self._account: LocalAccount = Account.from_key(private_key)
        self._gas_price_wei = gas_price_wei
        self._clock = clock
        self._deadline_s = deadline_s
        self._submission = asyncio.Lock()

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
        hashes: list[bytes] = []
        failure: MeshError | None = None
        async with self._submission:
            try:
                nonce = await self._chain.next_nonce(self.address)
                for transaction in transactions:
                    hashes.append(await self._submit(transaction, nonce + len(hashes)))
            except MeshError as error:
                failure = error
        outcomes = await asyncio.gather(
            *(self._outcome(transaction, sent) for transaction, sent in zip(transactions, hashes, strict=False))
        )
        rest = [] if failure is None else [failure] * (len(transactions) - len(hashes))
        return [*outcomes, *rest]

    async def _submit(self, transaction: Transaction, nonce: int) -> bytes:
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
        try:
            return await self._chain.send(bytes(signed.raw_transaction))
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

    async def _outcome(self, transaction: Transaction, sent: bytes) -> TxReceipt | MeshError:
        try:
            receipt = await self._wait(transaction, sent)
            if receipt["status"] == 1:
                return receipt
            reason = await self._chain.revert_reason(
                self.address, transaction.to, transaction.data, transaction.value_wei, receipt["blockNumber"]
            )
        except MeshError as error:
            return error
        return TransactionReverted(transaction.purpose, "0x" + sent.hex(), reason)

    async def _wait(self, transaction: Transaction, sent: bytes) -> TxReceipt:
        deadline = self._clock.monotonic() + self._deadline_s
        while self._clock.monotonic() < deadline:
            receipt = await self._chain.receipt(sent)
            if receipt is not None:
                return receipt
            await self._clock.sleep(_POLL_S)
        raise DeadlineExceeded(
            f"{transaction.purpose}: no block took transaction 0x{sent.hex()} within {self._deadline_s:g} s"
        )
