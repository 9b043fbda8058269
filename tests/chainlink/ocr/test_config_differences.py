"""In what two configurations differ."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.ocr.config_differences import config_differences
from chainlink.ocr.contract_config import OcrConfig
from tests.oracle.ocr.committee import make_committee

OURS = make_committee(4).contract_config.decode()[0]
SEVEN = make_committee(7, 2).contract_config.decode()[0]


def test_equal_ones() -> None:
    """Nothing is said of two that are equal."""
    assert () == config_differences(OURS, OURS)


def test_another_f_and_n() -> None:
    """Another number of oracles, and of faulty ones, is the first that is said, with both numbers."""
    assert ("n is 7, ours 4", "f is 2, ours 1") == config_differences(SEVEN, OURS)[:2]
    assert ("n is 4, before 7", "f is 1, before 2") == config_differences(OURS, SEVEN, other="before")[:2]


@pytest.mark.parametrize("name", ["signers", "transmitters"])
def test_the_order_and_doubles(name: str) -> None:
    """Another order, a double and another member are told apart, and named."""
    members = getattr(OURS, name)

    def with_members(*changed: str) -> OcrConfig:
        return replace(OURS, **{name: changed})  # type: ignore[arg-type]

    turned = with_members(*members[::-1])
    assert (f"{name} are in another order than ours",) == config_differences(turned, OURS)
    double = with_members(members[0], *members[:3])
    assert (
        f"{name} has 1 more than once: {members[0]}",
        f"{name} lacks {members[3]}",
    ) == config_differences(double, OURS)
    stranger = with_members("0xstranger", *members[1:])
    assert (f"{name} has 0xstranger, which ours has not", f"{name} lacks {members[0]}") == config_differences(
        stranger, OURS
    )


def test_off_chain_fields() -> None:
    """Timings are told with both values, keys and peers like members."""
    offchain = replace(OURS.offchain, alpha_ppb=7, peer_ids=OURS.offchain.peer_ids[::-1])
    assert (
        "alpha_ppb is 7, ours 1",
        "peer_ids are in another order than ours",
    ) == config_differences(replace(OURS, offchain=offchain), OURS)


@settings(max_examples=50, deadline=None)
@given(st.permutations(OURS.signers), st.permutations(OURS.transmitters), st.integers(1, 2))
def test_something_is_said_if_and_only_if_they_differ(signers: list[str], transmitters: list[str], f: int) -> None:
    """Whatever is turned around, two configurations are equal exactly if nothing is said."""
    found: OcrConfig = replace(OURS, signers=tuple(signers), transmitters=tuple(transmitters), f=f)
    assert (found == OURS) == (() == config_differences(found, OURS))
