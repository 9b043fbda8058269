"""What transactions pay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.oracle.chain.settings import EvmSettings, GasEstimatorSettings
from services.oracle.chain.transactions.fee_bumping import Fees, Floor, Market, bumped, first_fees, lifted, multiplied
from services.oracle.errors import SettingInvalid

GWEI = 10**9
WEI = st.integers(0, 10**12)
MARKETS = st.builds(Market, *(st.none() | WEI for _ in range(3)))


@st.composite
def estimators(draw: st.DrawFn) -> GasEstimatorSettings:
    """Return any settings that are allowed."""
    least, most = sorted((draw(WEI), draw(WEI)))
    tip = draw(WEI)
    return GasEstimatorSettings.read(
        {
            "Mode": draw(st.sampled_from(("FixedPrice", "BlockHistory", "SuggestedPrice"))),
            "PriceDefault": draw(st.integers(least, most)),
            "PriceMin": least,
            "PriceMax": most,
            "BumpPercent": draw(st.integers(10, 200)),
            "BumpMin": draw(WEI),
            "BumpThreshold": draw(st.integers(0, 5)),
            "EIP1559DynamicFees": draw(st.booleans()),
            "TipCapDefault": tip,
            "TipCapMin": draw(st.integers(0, tip)),
            "FeeCapDefault": tip + draw(WEI),
        }
    )


@given(estimators(), MARKETS)
def test_prices_are_within_bounds(settings: GasEstimatorSettings, market: Market) -> None:
    """Whatever the chain says, nobody pays more than PriceMax, and no tip is above its cap."""
    fees = first_fees(settings, market)

    assert fees.cap_wei <= settings.price_max_wei
    assert settings.eip1559_dynamic_fees == (fees.tip_wei is not None)
    if fees.tip_wei is not None:
        assert fees.tip_wei <= fees.cap_wei
    elif settings.mode != "FixedPrice":
        assert settings.price_min_wei <= fees.cap_wei


@given(estimators(), MARKETS, st.lists(MARKETS, min_size=1, max_size=30))
def test_bumps_replace(settings: GasEstimatorSettings, market: Market, later: list[Market]) -> None:
    """Each bump is at least a tenth more in all that is offered, never over PriceMax, and bumping ends."""
    paid = first_fees(settings, market)
    for now in later:
        fees = bumped(settings, paid, now)
        if fees is None:
            break
        assert paid.cap_wei < fees.cap_wei <= settings.price_max_wei
        assert 110 * paid.cap_wei <= 100 * fees.cap_wei
        if paid.tip_wei is not None:
            assert fees.tip_wei is not None
            assert 110 * paid.tip_wei <= 100 * fees.tip_wei
            assert paid.tip_wei < fees.tip_wei <= fees.cap_wei
        paid = fees


@given(estimators(), MARKETS, WEI, WEI)
def test_a_floor_is_met_or_the_limit_is(settings: GasEstimatorSettings, market: Market, tip: int, base: int) -> None:
    """A price is lifted to what a pool wants, as far as PriceMax allows, never lowered, and no more than is needed."""
    before = first_fees(settings, market)
    fees = lifted(settings, before, Floor(tip, base))
    most = settings.price_max_wei

    assert before.cap_wei <= fees.cap_wei <= most
    assert (before.tip_wei is None) == (fees.tip_wei is None)
    offered = fees.cap_wei if fees.tip_wei is None else fees.tip_wei
    assert offered >= min(tip, most)
    assert fees.cap_wei >= min(base, most)
    assert fees.tip_wei is None or before.tip_wei is None or before.tip_wei <= fees.tip_wei <= fees.cap_wei
    assert before == lifted(settings, before, Floor())
    assert fees.cap_wei <= max(before.cap_wei, tip, base + -(-base // 8) + (fees.tip_wei or 0))


@given(estimators(), MARKETS, st.integers(2, 10))
def test_multiples_are_within_bounds(settings: GasEstimatorSettings, market: Market, factor: int) -> None:
    """A multiple is at least BumpMin more and no more than PriceMax, and repeated often enough it ends there."""
    fees = first_fees(settings, market)
    for _ in range(100):
        more = multiplied(settings, fees, factor)
        assert fees.cap_wei <= more.cap_wei <= max(fees.cap_wei, settings.price_max_wei)
        assert more.tip_wei is None or more.tip_wei <= more.cap_wei
        if more == fees:
            break
        fees = more
    assert fees == multiplied(settings, fees, factor)


def estimator(**changes: object) -> GasEstimatorSettings:
    """Return settings with known numbers."""
    return GasEstimatorSettings.read({"PriceMin": "1 wei", "BumpMin": "1 gwei"} | changes)


@pytest.mark.parametrize(
    ("changes", "market", "expected"),
    [
        ({"Mode": "FixedPrice", "PriceDefault": "7 gwei"}, Market(9 * GWEI), Fees(7 * GWEI)),
        ({"Mode": "SuggestedPrice"}, Market(9 * GWEI), Fees(9 * GWEI)),
        ({"Mode": "BlockHistory"}, Market(None, 8 * GWEI, 2 * GWEI), Fees(10 * GWEI)),
        ({"Mode": "BlockHistory"}, Market(), Fees(20 * GWEI)),
        ({"Mode": "SuggestedPrice", "PriceMax": "3 gwei"}, Market(9 * GWEI), Fees(3 * GWEI)),
        ({"Mode": "SuggestedPrice", "PriceMin": "30 gwei"}, Market(9 * GWEI), Fees(30 * GWEI)),
    ],
)
def test_modes(changes: dict[str, object], market: Market, expected: Fees) -> None:
    """Each mode takes its own number: the configured one, the chain's word, or the last blocks'."""
    assert expected == first_fees(estimator(**changes), market)


def test_dynamic_fees() -> None:
    """A tip is offered over a base fee that may rise by an eighth a block until the bump; FixedPrice asks nobody."""
    dynamic = estimator(EIP1559DynamicFees=True, BumpThreshold=1, TipCapDefault="2 gwei")
    assert Fees(8 * 81 * GWEI // 64 + 3, 3) == first_fees(dynamic, Market(None, 8 * GWEI, 3))
    assert Fees(100 * GWEI, 2 * GWEI) == first_fees(dynamic, Market())

    fixed = {"EIP1559DynamicFees": True, "Mode": "FixedPrice", "TipCapDefault": "2 gwei", "FeeCapDefault": "5 gwei"}
    assert Fees(5 * GWEI, 2 * GWEI) == first_fees(estimator(**fixed), Market())
    unbumped = estimator(**fixed, BumpThreshold=0, PriceMax="90 gwei")
    assert Fees(90 * GWEI, 2 * GWEI) == first_fees(unbumped, Market())


def test_a_bump_is_the_largest_of_three() -> None:
    """A bump is the percentage, the minimum, or what is paid now, whichever is most; at the limit there is none."""
    settings = estimator(Mode="SuggestedPrice", BumpPercent=20, PriceMax="100 gwei")
    assert Fees(12 * GWEI) == bumped(settings, Fees(10 * GWEI), Market(1))
    assert Fees(3 * GWEI) == bumped(settings, Fees(2 * GWEI), Market(1))
    assert Fees(50 * GWEI) == bumped(settings, Fees(10 * GWEI), Market(50 * GWEI))
    assert Fees(100 * GWEI) == bumped(settings, Fees(90 * GWEI), Market(1))
    assert bumped(settings, Fees(95 * GWEI), Market(1)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"PriceMin": "2 gwei", "PriceMax": "1 gwei"},
        {"BumpPercent": 9},
        {"Mode": "Cheapest"},
        {"Mode": "FixedPrice", "PriceDefault": "2 gwei", "PriceMax": "1 gwei"},
        {"EIP1559DynamicFees": True, "TipCapDefault": "1 wei", "TipCapMin": "2 wei"},
        {"EIP1559DynamicFees": True, "TipCapDefault": "2 gwei", "FeeCapDefault": "1 gwei"},
    ],
)
def test_settings_that_contradict_themselves(wrong: dict[str, object]) -> None:
    """Prices that cannot be kept are refused at the start."""
    with pytest.raises(SettingInvalid):
        estimator(**wrong)


def test_the_simulated_chain_has_its_own_defaults() -> None:
    """Chain 1337 pays a fixed gwei and never bumps, as with the real node; others follow the blocks."""
    nodes = [{"Name": "a", "HTTPURL": "http://127.0.0.1:1"}]
    gas = EvmSettings.read({"ChainID": "1337", "Nodes": nodes}).gas_estimator
    assert ("FixedPrice", GWEI, 0) == (gas.mode, gas.price_default_wei, gas.bump_threshold)
    changed = {"ChainID": "1337", "Nodes": nodes, "GasEstimator": {"BumpThreshold": 4}}
    assert 4 == EvmSettings.read(changed).gas_estimator.bump_threshold
    other = EvmSettings.read({"ChainID": "5611", "Nodes": nodes}).gas_estimator
    assert ("BlockHistory", 20 * GWEI, 3) == (other.mode, other.price_default_wei, other.bump_threshold)
