"""A feed contract on a real chain, with its oracles' keys: what the contract tests work with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_keys.datatypes import PrivateKey
from eth_typing import ChecksumAddress, HexStr
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Web3
from web3.contract import Contract
from web3.contract.contract import ContractFunction
from web3.types import RPCEndpoint, TxReceipt, Wei

from chainlink.contract.artifact import load
from tests.contracts import reports

ZERO = to_checksum_address("0x" + "00" * 20)
ERROR_SELECTOR = keccak(b"Error(string)")[:4]
GAS = 15_000_000
MIN_ANSWER, MAX_ANSWER = 1, 10**30

Event = tuple[str, dict[str, Any]]


@cache
def key(name: str) -> PrivateKey:
    """Return the private key that belongs to a name."""
    return PrivateKey(keccak(name.encode()))


@cache
def address(name: str) -> ChecksumAddress:
    """Return the address of the key that belongs to a name; the test chain lets any address send."""
    return key(name).public_key.to_checksum_address()


OWNER = address("owner")
STRANGER = address("stranger")


@dataclass(frozen=True)
class Reverted:
    """What a refused call answered: raw data, and the text in it; an empty revert has neither."""

    message: str
    data: bytes

    @property
    def reason(self) -> str:
        """Return the revert string, or "" when the data hold none."""
        if self.data[:4] != ERROR_SELECTOR:
            return ""
        return str(decode(["string"], self.data[4:])[0])


@dataclass
class Chain:
    """A development chain without a gas price, on which any address may send."""

    w3: Web3

    def deploy(self, artifact: str, *args: object, sender: ChecksumAddress = OWNER) -> Contract:
        """Deploy a contract and return it."""
        built = load(artifact)
        factory = self.w3.eth.contract(abi=built.abi, bytecode=HexStr(built.bytecode))
        receipt = self._mined(factory.constructor(*args).transact({"from": sender, "gas": GAS, "gasPrice": Wei(0)}))
        made = self.w3.eth.contract(address=receipt["contractAddress"], abi=built.abi)
        assert isinstance(made, Contract)
        return made

    def send(self, call: ContractFunction, sender: ChecksumAddress = OWNER, *, gas_price: int = 0) -> TxReceipt:
        """Send a transaction that must succeed and return its receipt."""
        if gas_price:
            self.w3.provider.make_request(RPCEndpoint("anvil_setBalance"), [sender, hex(10**21)])
        return self._mined(call.transact({"from": sender, "gas": GAS, "gasPrice": Wei(gas_price)}))

    def refusal(self, call: ContractFunction, sender: ChecksumAddress = OWNER) -> Reverted:
        """Return how the contract refuses a call; fails when it does not."""
        return self.refusal_of_data(call.address, HexBytes(call._encode_transaction_data()), sender)

    def outcome(self, call: ContractFunction, sender: ChecksumAddress = OWNER) -> str:
        """Return "" when the contract accepts a call, else the revert string, which must be there."""
        refusal = self._try(call.address, HexBytes(call._encode_transaction_data()), sender)
        assert refusal is None or refusal.reason
        return refusal.reason if refusal else ""

    def refusal_of_data(self, to: ChecksumAddress, data: bytes, sender: ChecksumAddress) -> Reverted:
        """Return how the contract refuses raw call data; fails when it does not."""
        refusal = self._try(to, data, sender)
        assert refusal is not None, "the call was accepted"
        return refusal

    def _try(self, to: ChecksumAddress, data: bytes, sender: ChecksumAddress) -> Reverted | None:
        transaction = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(GAS)}
        answer = self.w3.provider.make_request(RPCEndpoint("eth_call"), [transaction, "latest"])
        error: Any = answer.get("error")
        if error is None:
            return None
        return Reverted(message=error["message"], data=bytes(HexBytes(error.get("data") or "0x")))

    def _mined(self, tx_hash: HexBytes) -> TxReceipt:
        receipt = self.w3.eth.wait_for_transaction_receipt(tx_hash, timeout=20, poll_latency=0.01)
        assert receipt["status"] == 1, f"transaction reverted: {receipt}"
        return receipt


@dataclass
class Feed:
    """A feed with n oracles, of which f may be faulty. Oracle i has keys `signer i`, `transmitter i`, `payee i`."""

    chain: Chain
    contract: Contract
    n: int
    f: int
    encoded: bytes = field(default=b"off-chain configuration")

    @property
    def signers(self) -> list[ChecksumAddress]:
        """Return the addresses of the report-signing keys, in oracle order."""
        return [address(f"signer {i}") for i in range(self.n)]

    @property
    def transmitters(self) -> list[ChecksumAddress]:
        """Return the sending addresses, in oracle order."""
        return [address(f"transmitter {i}") for i in range(self.n)]

    @property
    def payees(self) -> list[ChecksumAddress]:
        """Return the paid addresses, in oracle order."""
        return [address(f"payee {i}") for i in range(self.n)]

    def set_payees(self) -> TxReceipt:
        """Let the owner set every oracle's payee."""
        return self.chain.send(self.contract.functions.setPayees(self.transmitters, self.payees))

    def set_config_call(self) -> ContractFunction:
        """Return the call that configures these oracles."""
        return self.contract.functions.setConfig(self.signers, self.transmitters, self.f, 1, self.encoded)

    def configure(self) -> TxReceipt:
        """Set the payees and then the configuration; returns the second receipt."""
        self.set_payees()
        return self.chain.send(self.set_config_call())

    @property
    def digest(self) -> bytes:
        """Return the current configuration's digest, 16 bytes."""
        return bytes(self.contract.functions.latestConfigDetails().call()[2])

    def report(
        self,
        values: Sequence[int],
        *,
        epoch: int = 1,
        round_: int = 1,
        observers: Sequence[int] | None = None,
        digest: bytes | None = None,
    ) -> bytes:
        """Encode a report of these values; observers count from 0 unless given."""
        context = reports.context(self.digest if digest is None else digest, epoch, round_)
        return reports.encode_report(context, range(len(values)) if observers is None else observers, values)

    def transmit_call(self, report: bytes, signers: Sequence[int] = (0, 1)) -> ContractFunction:
        """Return the call that transmits a report signed by these oracles."""
        made = reports.sign(report, [key(f"signer {i}") for i in signers])
        return self.contract.functions.transmit(report, made.rs, made.ss, made.raw_vs)

    def transmit(
        self, values: Sequence[int], *, epoch: int = 1, round_: int = 1, by: int = 0, gas_price: int = 0
    ) -> TxReceipt:
        """Transmit these values by oracle `by`, signed by f+1 oracles."""
        call = self.transmit_call(self.report(values, epoch=epoch, round_=round_), range(self.f + 1))
        return self.chain.send(call, self.transmitters[by], gas_price=gas_price)

    def why_not(
        self, report: bytes, signers: Sequence[int] = (0, 1), sender: ChecksumAddress | None = None
    ) -> Reverted:
        """Return how the contract refuses this report."""
        return self.chain.refusal(self.transmit_call(report, signers), sender or self.transmitters[0])

    def events(self, receipt: TxReceipt) -> list[Event]:
        """Return name and arguments of this contract's events in a receipt, in order."""
        found: list[Event] = []
        for log in receipt["logs"]:
            if log["address"] == self.contract.address:
                event = self.contract.events[self._event_name(bytes(log["topics"][0]))]().process_log(log)
                found.append((event["event"], dict(event["args"])))
        return found

    def _event_name(self, topic: bytes) -> str:
        for entry in self.contract.abi:
            if entry["type"] == "event":
                types = ",".join(str(field["type"]) for field in entry["inputs"])
                if keccak(text=f"{entry['name']}({types})") == topic:
                    return entry["name"]
        raise AssertionError(f"unknown topic {topic.hex()}")


def deploy_feed(
    chain: Chain,
    *,
    n: int = 4,
    f: int = 1,
    limits: tuple[int, int] = (MIN_ANSWER, MAX_ANSWER),
    rates: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0),
    link: ChecksumAddress = ZERO,
    billing_access: ChecksumAddress = ZERO,
    requester_access: ChecksumAddress = ZERO,
) -> Feed:
    """Deploy a feed of `n` oracles without configuring it."""
    contract = chain.deploy(
        "OffchainAggregator",
        *rates,
        link,
        *limits,
        billing_access,
        requester_access,
        8,
        "BTC / USD",
    )
    return Feed(chain=chain, contract=contract, n=n, f=f)
