"""The account that sets oracles where no owner may: registered once, by certificates, when it is first needed."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from chainlink.contract import split_config
from chainlink.contract.abi_codec import Function
from chainlink.errors import UnreadableKeyFile
from chainlink.identities import key_files
from chainlink.keys.evm import EvmKey
from meshkit import log
from meshkit.errors import MeshError
from services.operator.config import OperatorConfig
from services.operator.errors import TransactionReverted
from services.operator.onchain.chain import CallReverted, Chain, Receipt
from services.operator.onchain.configuration.order_certificates import AdminProof, OrderCertificates, Registrar
from services.operator.onchain.transactions import Sender, Transaction

# The node that stands for the operator: it is a bootstrap node, which sends nothing else.
LEADER = 1
_MOST_ROOTS = 16
_NO_ROOT = "Root certificate is not exist"
_GAS_MARGIN_PERCENT = 125
_FUNDS_MARGIN = 2
_log = log.get_logger(__name__)


class Admin:
    """
    Send what only the admin may send, by the leader's account, which is registered and funded before.

    `registrar` proves that the account may be the admin; by default it is the order's certificates.
    """

    def __init__(
        self,
        config: OperatorConfig,
        chain: Chain,
        faucet: Sender,
        make_sender: Callable[[str], Sender],
        registrar: Registrar | None = None,
    ) -> None:
        if config.admin_contract is None:
            raise AssertionError("there is no contract that would know an admin")
        self._helper = config.admin_contract
        self._config = config
        self._chain = chain
        self._faucet = faucet
        self._make_sender = make_sender
        self._registrar = registrar or OrderCertificates(config.admin_certificates)
        self._sender: Sender | None = None

    async def send_all(self, transactions: Sequence[Transaction]) -> list[Receipt | MeshError]:
        """Send transactions as `Sender.send_all` does; what keeps the account from being the admin is each's error."""
        if not transactions:
            return []
        try:
            sender = await self._account()
            await self._register(sender)
            outcomes: list[Receipt | MeshError] = list(await self._send(sender, transactions))
        except MeshError as error:
            return [error] * len(transactions)
        return outcomes

    async def _account(self) -> Sender:
        if self._sender is None:
            path = self._config.secrets.node(LEADER) / key_files.EVM_FILE
            password = self._config.credentials.keystore_password
            found = await asyncio.to_thread(key_files.read, path, EvmKey, password)
            if found is None:
                raise UnreadableKeyFile(path, "is missing")
            self._sender = self._make_sender(found[0].private_key.hex())
        await self._sender.await_earlier()
        return self._sender

    async def _register(self, sender: Sender) -> None:
        if await self._ask(split_config.IS_ADMIN, sender.address):
            return
        nonce = await self._ask(split_config.GET_SIGNATURE_NONCE)
        proof = await asyncio.to_thread(
            self._registrar.prove, sender.address, self._chain.chain_id, self._helper, nonce
        )
        transaction = await self._registration(sender.address, proof)
        (outcome,) = await self._send(sender, (transaction,))
        if isinstance(outcome, MeshError):
            raise outcome
        _log.info("admin_registered", admin=sender.address, contract=self._helper)

    async def _ask(self, function: Function, *arguments: object) -> int:
        try:
            return int(await self._chain.ask(self._helper, function, *arguments))
        except CallReverted as error:
            raise TransactionReverted(f"{function.name} of {self._helper}", "a call", str(error)) from error

    async def _registration(self, admin: str, proof: AdminProof) -> Transaction:
        """Return the registration under the root that the chain of certificates ends at, which the contract knows."""
        certificates = [certificate.as_argument() for certificate in proof.chain]
        refusals: dict[str, None] = {}
        for root in range(_MOST_ROOTS):
            data = split_config.ADD_ADMIN.call_data(certificates, root, proof.signature)
            try:
                await self._chain.estimate_gas(admin, self._helper, data, 0)
            except CallReverted as error:
                refusals[str(error)] = None
                continue
            return Transaction("registration of the admin", self._helper, data)
        # That there is no root of a number says nothing about the certificates, unless there is none at all.
        told = [text for text in refusals if text != _NO_ROOT] or [_NO_ROOT]
        shown = f"; shown were the certificates of {', '.join(proof.shown)}" if proof.shown else ""
        raise TransactionReverted("registration of the admin", "not sent", "; ".join(told) + shown)

    async def _send(self, sender: Sender, transactions: Sequence[Transaction]) -> list[Receipt | MeshError]:
        """Estimate, see to it that the account can pay, and send; what would be undone is not sent."""
        refused: dict[int, MeshError] = {}
        ready: dict[int, Transaction] = {}
        for place, transaction in enumerate(transactions):
            try:
                gas = await self._chain.estimate_gas(sender.address, transaction.to, transaction.data, 0)
            except CallReverted as error:
                refused[place] = TransactionReverted(transaction.purpose, "not sent", str(error))
            else:
                ready[place] = replace(transaction, gas=gas * _GAS_MARGIN_PERCENT // 100)
        await self._fund(sender, sum(each.gas or 0 for each in ready.values()))
        sent = dict(zip(ready, await sender.send_all(list(ready.values())), strict=True))
        return [refused[place] if place in refused else sent[place] for place in range(len(transactions))]

    async def _fund(self, sender: Sender, gas: int) -> None:
        needed_wei = gas * sender.gas_price_wei
        if not needed_wei or await self._chain.balance_wei(sender.address) >= needed_wei:
            return
        purpose = f"top-up of the admin {sender.address}"
        (outcome,) = await self._faucet.send_all(
            [Transaction(purpose, sender.address, value_wei=needed_wei * _FUNDS_MARGIN)]
        )
        if isinstance(outcome, MeshError):
            raise outcome
