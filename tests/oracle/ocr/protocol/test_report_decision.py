"""The decision whether to report."""

import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from services.oracle.ocr.protocol.report_decision import Policy, Reason, deviates, reason_to_report
from services.oracle.ocr.state import Override

DIGEST, OTHER = bytes(16), bytes([1]) * 16
POLICY = Policy(DIGEST, alpha_ppb=10_000_000, delta_c_ns=60 * 10**9)
CONTRACT = TransmissionDetails(DIGEST, 3, 2, 1000, 1_000)
FRESH_MS = 1_060_000


@pytest.mark.parametrize(
    ("median", "contract", "requested", "now_ms", "expected"),
    [
        (1000, CONTRACT, None, FRESH_MS, None),
        (1000, None, None, FRESH_MS, None),
        (1000, None, RoundRequested(DIGEST, 3, 2), FRESH_MS, None),
        (1000, dataclasses.replace(CONTRACT, epoch=0, round=0), None, FRESH_MS, Reason.INITIAL_ROUND),
        (1000, dataclasses.replace(CONTRACT, epoch=0, round=0, config_digest=OTHER), None, FRESH_MS, None),
        (1010, CONTRACT, None, FRESH_MS, Reason.DEVIATION),
        (990, CONTRACT, None, FRESH_MS, Reason.DEVIATION),
        (1009, CONTRACT, None, FRESH_MS, None),
        (1000, CONTRACT, None, FRESH_MS + 1, Reason.HEARTBEAT),
        # The chain's clock is frozen far behind the own one, or ahead of it.
        (1000, dataclasses.replace(CONTRACT, timestamp_s=0), None, FRESH_MS, Reason.HEARTBEAT),
        (1000, dataclasses.replace(CONTRACT, timestamp_s=2**64 - 1), None, FRESH_MS, None),
        (1000, CONTRACT, RoundRequested(DIGEST, 3, 2), FRESH_MS, Reason.REQUESTED),
        (1000, CONTRACT, RoundRequested(DIGEST, 3, 1), FRESH_MS, None),
        (1000, CONTRACT, RoundRequested(OTHER, 3, 2), FRESH_MS, None),
    ],
)
def test_reasons(
    median: int,
    contract: TransmissionDetails | None,
    requested: RoundRequested | None,
    now_ms: int,
    expected: Reason | None,
) -> None:
    """Each reason holds exactly from its limit on."""
    assert expected is reason_to_report(POLICY, median, contract, requested, now_ms)


def test_override() -> None:
    """A hibernating feed is reported by its override's limits, and by its own when there is none."""
    hibernating = POLICY.overridden(Override(alpha_ppb=500_000_000, delta_c_ns=3600 * 10**9))

    assert reason_to_report(hibernating, 1100, CONTRACT, None, FRESH_MS + 1) is None
    assert Reason.DEVIATION is reason_to_report(hibernating, 1500, CONTRACT, None, FRESH_MS)
    assert POLICY is POLICY.overridden(None)


@given(st.integers(-(2**191), 2**191 - 1), st.integers(-(2**191), 2**191 - 1), st.integers(0, 2**64 - 1))
def test_deviation_is_exact(old: int, new: int, alpha_ppb: int) -> None:
    """The comparison is that of exact fractions."""
    expected = new != 0 if old == 0 else Fraction(abs(new - old), abs(old)) >= Fraction(alpha_ppb, 10**9)

    assert expected == deviates(old, new, alpha_ppb)


def test_alpha_zero_always_deviates() -> None:
    """With alpha 0 an equal value deviates, unless both are 0."""
    assert deviates(5, 5, 0)
    assert not deviates(0, 0, 0)
