"""What a transmission costs, on a chain with and without a chain below."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import rlp  # type: ignore[import-untyped]  # it has no annotations
from structlog.testing import capture_logs

from chainlink.contract.l1_fees import GAS_PRICE_ORACLE
from meshkit.clock import ManualClock
from services.operator.config import FundingSettings, OperatorConfig
from services.operator.funding.faucet import Faucet
from services.operator.funding.transmission_cost import TransmissionCost, TransmissionCosts, sample_transmission
from services.operator.onchain.chain import Chain
from services.operator.onchain.transactions import Sender
from tests.operator.anvil import Anvil
from tests.operator.made import made_oracles

GWEI = 10**9
# Answer every call with a gwei for each byte of its data: PUSH4 1e9, CALLDATASIZE, MUL, MSTORE at 0, RETURN 32 bytes.
GWEI_A_BYTE = "0x633b9aca00360260005260206000f3"
REVERTING = "0x60006000fd"
# All bits set.
TOO_MUCH = "0x60001960005260206000f3"
NO_NUMBER = "0x60016000f3"


@pytest.fixture(name="below")
async def _below(anvil: Anvil) -> AsyncIterator[Anvil]:
    """Give the chain; what a test puts where the fees are told is taken away after it."""
    yield anvil
    await anvil.call("anvil_setCode", GAS_PRICE_ORACLE, "0x")


async def test_a_chain_without_one_below(chain: Chain, anvil: Anvil) -> None:
    """Only gas counts."""
    cost = await TransmissionCosts(chain, 4).read(2 * GWEI)

    assert TransmissionCost(2 * GWEI) == cost
    assert (10**15, 42_000 * GWEI) == (cost.wei, cost.of_transfer_wei)


async def test_a_chain_of_the_op_stack(chain: Chain, below: Anvil) -> None:
    """The fee for the bytes of a transmission comes on top, and for those of a transfer."""
    await below.call("anvil_setCode", GAS_PRICE_ORACLE, GWEI_A_BYTE)
    cost = await TransmissionCosts(chain, 4).read(GWEI)
    data = len(sample_transmission(1337, 4))
    # The call: its selector, an offset, a length, and the bytes in whole words.
    assert GWEI * (4 + 64 + -(-data // 32) * 32) == cost.l1_fee_wei
    assert GWEI * (4 + 64 + 128) == cost.l1_fee_of_transfer_wei
    assert 500_000 * GWEI + cost.l1_fee_wei == cost.wei
    assert 21_000 * GWEI + cost.l1_fee_of_transfer_wei == cost.of_transfer_wei


@pytest.mark.parametrize("code", [REVERTING, TOO_MUCH, NO_NUMBER])
async def test_a_fee_that_cannot_be_read(chain: Chain, below: Anvil, code: str) -> None:
    """The last one known counts on, and that is said once, as is its end."""
    await below.call("anvil_setCode", GAS_PRICE_ORACLE, GWEI_A_BYTE)
    costs = TransmissionCosts(chain, 4)
    known = await costs.read(GWEI)
    with capture_logs() as lines:
        await below.call("anvil_setCode", GAS_PRICE_ORACLE, code)
        assert [known, known] == [await costs.read(GWEI), await costs.read(GWEI)]
        await below.call("anvil_setCode", GAS_PRICE_ORACLE, GWEI_A_BYTE)
        await costs.read(GWEI)
    assert ["l1_fee_unknown", "l1_fee_known"] == [line["event"] for line in lines]


async def test_top_ups_pay_for_the_bytes(config: OperatorConfig, chain: Chain, sender: Sender, below: Anvil) -> None:
    """Transmitters that gas alone would leave rich enough are topped up where their bytes cost more."""
    funding = FundingSettings(minimum_wei=1000, topup_wei=2000, interval_ms=60_000)
    oracles = tuple(made_oracles(4))
    for oracle in oracles:
        await below.call("anvil_setBalance", oracle.node.transmitter_address, hex(10**15))
    clock = ManualClock()
    faucet = Faucet(replace(config, funding=funding), oracles, chain, sender, clock)
    assert () == (await faucet.run()).changes
    await below.call("anvil_setCode", GAS_PRICE_ORACLE, GWEI_A_BYTE)
    clock.advance(61)
    amount_wei = 50 * (await faucet.cost()).wei
    assert [f"top-up of node-{index} by {amount_wei} wei" for index in range(4)] == list((await faucet.run()).changes)
    clock.advance(61)
    assert () == (await faucet.run()).changes


@pytest.mark.parametrize(("oracles", "signatures"), [(4, 2), (31, 11)])
def test_the_sample_is_as_large_as_a_transmission(oracles: int, signatures: int) -> None:
    """Its data have the length of the contract's own count: a report of four words and observations, and signatures."""
    data = rlp.decode(sample_transmission(1337, oracles))[5]
    report = 32 * (4 + oracles)

    assert 4 + 4 * 32 + 32 + report + 2 * (32 + 32 * signatures) == len(data)
