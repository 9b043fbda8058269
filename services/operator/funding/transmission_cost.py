"""
What a transmission costs its account: gas, and on chains of the OP stack also the fee for its bytes on the chain below.

    cost = gas × price + getL1Fee(bytes of the transaction)
"""

import hashlib
from dataclasses import dataclass

from chainlink.contract import aggregator
from chainlink.rpc.transaction import UnsignedTransaction
from meshkit import log
from services.operator.config import TRANSMISSION_GAS
from services.operator.errors import ChainUnavailable
from services.operator.onchain.chain import CallReverted, Chain

_TRANSFER_GAS = 21_000
# Nobody pays more for a few hundred bytes: what tells more is no such contract, or lies.
_MOST_FEE_WEI = 10**17
_ADDRESS = "0x" + "42" * 20
_log = log.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TransmissionCost:
    """
    Hold what a transmission costs at most, in wei.

    Attributes:
        gas_price_wei: For each unit of gas.
        l1_fee_wei: For its bytes on the chain below; 0 where there is none.
        l1_fee_of_transfer_wei: The same of a plain transfer.
    """

    gas_price_wei: int
    l1_fee_wei: int = 0
    l1_fee_of_transfer_wei: int = 0

    @property
    def wei(self) -> int:
        """Return all of it, as an account must hold it before a transmission is taken."""
        return TRANSMISSION_GAS * self.gas_price_wei + self.l1_fee_wei

    @property
    def of_transfer_wei(self) -> int:
        """Return what a plain transfer costs beside what it transfers."""
        return _TRANSFER_GAS * self.gas_price_wei + self.l1_fee_of_transfer_wei


class TransmissionCosts:
    """Ask the chain what a transmission of `oracles` oracles costs now; what cannot be read is what was read last."""

    def __init__(self, chain: Chain, oracles: int) -> None:
        self._chain = chain
        self._transmission = sample_transmission(chain.chain_id, oracles)
        self._transfer = _signed(chain.chain_id, b"")
        self._fees_wei = (0, 0)
        self._trouble = ""

    async def now(self, offered_wei: int, most_wei: int) -> TransmissionCost:
        """Return the cost at the price offered for gas, or at what the chain suggests, up to the most that is paid."""
        suggested_wei = await self._chain.suggested_gas_price_wei()
        return await self.read(max(offered_wei, min(suggested_wei, most_wei)))

    async def read(self, gas_price_wei: int) -> TransmissionCost:
        """Return the cost at that price of gas."""
        try:
            self._fees_wei = await self._read()
        except (ChainUnavailable, CallReverted, ValueError) as error:
            self._tell(str(error) or "no reason given")
        else:
            self._tell("")
        return TransmissionCost(gas_price_wei, *self._fees_wei)

    async def _read(self) -> tuple[int, int]:
        fees = [await self._chain.l1_fee_wei(raw) for raw in (self._transmission, self._transfer)]
        if max(fees) > _MOST_FEE_WEI:
            raise ValueError(f"getL1Fee: {max(fees)} wei for one transaction, believed are {_MOST_FEE_WEI} at most")
        return fees[0], fees[1]

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                _log.warning("l1_fee_unknown", error=trouble, used_wei=self._fees_wei[0])
            else:
                _log.info("l1_fee_known", fee_wei=self._fees_wei[0])


def sample_transmission(chain_id: int, oracles: int) -> bytes:
    """Return a transaction of the size, and as little compressible, as the transmissions of so many oracles are."""
    signatures = (oracles - 1) // 3 + 1
    # Head of three words, then the length and the observations; the numbers are 24 bytes at most, mostly zeros.
    observations = b"".join(_noise(f"o{i}", 8).rjust(32, b"\0") for i in range(oracles))
    report = _noise("context", 32) + bytes(range(oracles)).ljust(32, b"\0") + (96).to_bytes(32, "big")
    report += oracles.to_bytes(32, "big") + observations
    words = [_noise(f"s{i}", 32) for i in range(2 * signatures)]
    recovery = bytes(i % 2 for i in range(signatures)).ljust(32, b"\0")
    data = aggregator.transmit_calldata(report, words[:signatures], words[signatures:], recovery)
    return _signed(chain_id, data)


def _signed(chain_id: int, data: bytes) -> bytes:
    unsigned = UnsignedTransaction(chain_id, 2**20, 10**9, TRANSMISSION_GAS, _ADDRESS, data, value_wei=10**17)
    return unsigned.sign(_noise("key", 32))


def _noise(label: str, length: int) -> bytes:
    return hashlib.sha256(label.encode()).digest()[:length]
