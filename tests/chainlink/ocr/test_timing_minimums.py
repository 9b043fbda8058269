"""The shortest timings of each chain."""

from dataclasses import replace

import pytest

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.timing_minimums import check_minimums, first_too_short
from chainlink.units import NS_PER_S
from meshkit.ocr.timing import FAST, MODERATE, PRIVATE_TESTNET, PUBLIC_TESTNET, SLOW, timing_minimums
from tests.chainlink.ocr.made import made_config

_DEMO = made_config().offchain
_SLOW = replace(
    _DEMO,
    delta_progress_ns=23 * NS_PER_S,
    delta_resend_ns=10 * NS_PER_S,
    delta_round_ns=20 * NS_PER_S,
    delta_c_ns=600 * NS_PER_S,
    delta_stage_ns=10 * NS_PER_S,
)


@pytest.mark.parametrize(
    ("chain_id", "expected"),
    [(1, SLOW), (204, SLOW), (100, MODERATE), (42161, FAST), (11155111, PUBLIC_TESTNET), (1337, PRIVATE_TESTNET)],
)
def test_chain_classes(chain_id: int, expected: object) -> None:
    """Chains are in their classes; one that nobody listed counts as slow."""
    assert expected == timing_minimums(chain_id)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"delta_c_ns": 600 * NS_PER_S - 1}, "deltaC"),
        ({"delta_stage_ns": 10 * NS_PER_S - 1}, "deltaStage"),
        ({"delta_round_ns": 20 * NS_PER_S - 1}, "deltaRound"),
        ({"delta_progress_ns": 23 * NS_PER_S - 1}, "deltaProgress"),
        ({"delta_resend_ns": 10 * NS_PER_S - 1}, "deltaResend"),
    ],
)
def test_each_minimum(changes: dict[str, int], name: str) -> None:
    """Each timing is refused one nanosecond under its minimum, and taken at it."""
    short = first_too_short(replace(_SLOW, **changes), 5611)  # type: ignore[arg-type]

    assert short is not None
    assert (name, short.least_ns - 1) == (short.name, short.found_ns)
    assert first_too_short(_SLOW, 5611) is None


def test_demonstration_timings() -> None:
    """The timings of a demonstration are refused on a chain that nobody listed, and taken on a private one."""
    with pytest.raises(
        InvalidOcrConfig, match="deltaC: found '10 s', allowed: at least 600 s on chain 31337"
    ) as caught:
        check_minimums(_DEMO, 31337)

    assert "deltaC" == caught.value.field
    check_minimums(_DEMO, 1337)


@pytest.mark.parametrize("chain_id", [1, 100, 10, 11155111, 31337])
def test_seconds_for_nanoseconds_are_refused(chain_id: int) -> None:
    """Durations written in seconds by mistake are below the minimums of every chain that has some."""
    in_seconds = replace(
        _SLOW,
        **{name: getattr(_SLOW, name) // NS_PER_S for name in ("delta_progress_ns", "delta_round_ns", "delta_c_ns")},
    )

    with pytest.raises(InvalidOcrConfig, match="at least"):
        check_minimums(in_seconds, chain_id)
