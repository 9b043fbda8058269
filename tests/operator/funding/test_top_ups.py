import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.operator.config import FundingSettings
from services.operator.errors import FaucetEmpty, TopupRequired
from services.operator.funding import top_ups
from services.operator.funding.transmission_cost import TransmissionCost
from tests.operator.made import made_oracles

_SETTINGS = FundingSettings(minimum_wei=100, topup_wei=40, interval_ms=1000)
_NODES = [oracle.node for oracle in made_oracles(4)]
_FAUCET = "0x" + "f" * 40
_COST = TransmissionCost(2)


@given(st.lists(st.integers(0, 200), min_size=4, max_size=4))
@settings(deadline=None)
def test_exactly_the_poor_get_one_topup(balances: list[int]) -> None:
    """Each transmitter under the minimum gets the amount once, the others nothing."""
    by_address = {node.transmitter_address: balance for node, balance in zip(_NODES, balances, strict=True)}
    transfers = top_ups.wanted(_SETTINGS, _NODES, by_address, _COST)

    assert [address for address, balance in by_address.items() if balance < 100] == [item.to for item in transfers]
    assert {40} >= {item.value_wei for item in transfers}


@given(st.integers(0, 300_000))
@settings(deadline=None)
def test_a_faucet_is_never_overdrawn(faucet_wei: int) -> None:
    """Transfers are cut off where the faucet, gas included, could not pay; if it can pay none, that is an error."""
    wanted = top_ups.wanted(_SETTINGS, _NODES, {node.transmitter_address: 0 for node in _NODES}, _COST)
    cost = 40 + 21_000 * 2
    if faucet_wei < cost:
        with pytest.raises(FaucetEmpty, match=f"{faucet_wei} wei, too little for: top-up of node-0"):
            top_ups.affordable(wanted, _FAUCET, faucet_wei, _COST)
        return

    assert min(4, faucet_wei // cost) == len(top_ups.affordable(wanted, _FAUCET, faucet_wei, _COST))


def test_nothing_to_pay_is_fine_for_an_empty_faucet() -> None:
    """An empty faucet is no error while nobody needs it."""
    assert () == top_ups.affordable((), _FAUCET, 0, _COST)


def test_an_amount_of_zero_switches_topups_off() -> None:
    """Without an amount nobody is topped up."""
    off = FundingSettings(minimum_wei=100, topup_wei=0, interval_ms=1000)

    assert () == top_ups.wanted(off, _NODES, {node.transmitter_address: 0 for node in _NODES}, _COST)


@pytest.mark.parametrize("paid", [0, 3])
def test_topups_that_are_required(paid: int) -> None:
    """Where top-ups are required, one that cannot be paid is an error even if others can, and says which."""
    wanted = top_ups.wanted(_SETTINGS, _NODES, {node.transmitter_address: 0 for node in _NODES}, _COST)
    cost = 40 + 21_000 * 2

    with pytest.raises(TopupRequired, match=f"too little for: top-up of node-{paid}"):
        top_ups.affordable(wanted, _FAUCET, paid * cost, _COST, required=True)
    assert wanted == top_ups.affordable(wanted, _FAUCET, 4 * cost, _COST, required=True)


def test_fees_of_the_chain_below_count() -> None:
    """Where a transmission's bytes cost too, a transmitter holds ten transmissions, and a top-up pays fifty."""
    cost = TransmissionCost(2, l1_fee_wei=10**12, l1_fee_of_transfer_wei=10**10)
    least_wei = 10 * (1_000_000 + 10**12)
    balances = [0, least_wei - 1, least_wei, 10**18]
    by_address = {node.transmitter_address: balance for node, balance in zip(_NODES, balances, strict=True)}
    transfers = top_ups.wanted(_SETTINGS, _NODES, by_address, cost)

    assert least_wei == top_ups.minimum_wei(_SETTINGS, cost)
    assert [5 * least_wei] * 2 == [transfer.value_wei for transfer in transfers]
    both_wei = 2 * (5 * least_wei + 42_000 + 10**10)
    assert [2, 1] == [len(top_ups.affordable(transfers, _FAUCET, wei, cost)) for wei in (both_wei, both_wei - 1)]
    high = FundingSettings(minimum_wei=10**18, topup_wei=10**19, interval_ms=1000)
    assert (10**18, 10**19) == (top_ups.minimum_wei(high, cost), top_ups.amount_wei(high, cost))
    off = FundingSettings(minimum_wei=100, topup_wei=0, interval_ms=1000)
    assert () == top_ups.wanted(off, _NODES, by_address, cost)
