"""The OCR2 configuration that feeds shall have."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr2 import config_rules
from chainlink.ocr2.median_config import AnswerRange, MedianConfig
from chainlink.ocr2.offchain_config import Ocr2OffchainConfig
from meshkit.configuration.feeds.timings import FeedTimings
from services.operator.onchain.configuration import ocr2_config
from tests.operator.made import made_oracles

_SETTINGS = FeedTimings(5000, 1000, 2000, 500, 10_000, 7, 2500, 4)
_ANSWERS = AnswerRange(1, 10**23)


@given(st.sampled_from([4, 7, 31]), st.integers(2, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
@settings(deadline=None, max_examples=20)
def test_whatever_is_set_nodes_take_or_it_is_refused(n: int, progress_ms: int, round_ms: int, grace_ms: int) -> None:
    """Timings either are refused by the setting's name, or make a configuration that every node takes."""
    timings = replace(_SETTINGS, delta_progress_ms=progress_ms, delta_round_ms=round_ms, delta_grace_ms=grace_ms)
    if round_ms >= progress_ms or progress_ms < 200:
        with pytest.raises(InvalidOcrConfig, match=r"^solution\.mesh\.ocr\.delta(Progress|Round)Ms: "):
            ocr2_config.desired(made_oracles(n), timings, _ANSWERS)
        return
    config = ocr2_config.desired(made_oracles(n), timings, _ANSWERS)
    config_rules.check(config)
    assert n <= sum(config.offchain.s) <= n + 1
    assert (n - 1) // 3 == config.f


def test_encoding_decodes_to_the_same() -> None:
    """What is encoded decodes to the same, with another secret each time."""
    made = made_oracles(4)
    config = ocr2_config.desired(made, _SETTINGS, _ANSWERS)
    first, second = (ocr2_config.encode(config, made) for _ in range(2))

    assert first != second
    assert config.offchain == Ocr2OffchainConfig.decode(first)[0] == Ocr2OffchainConfig.decode(second)[0]


def test_what_the_settings_become() -> None:
    """Milliseconds become nanoseconds, deviation and heartbeat the plugin's; signers are those of the OCR2 keys."""
    made = made_oracles(4)
    config = ocr2_config.desired(made, _SETTINGS, _ANSWERS)

    assert MedianConfig(False, 7, False, 7, 10 * 10**9) == config.offchain.median
    assert (5 * 10**9, 2500 * 10**6) == (config.offchain.delta_progress_ns, config.offchain.delta_stage_ns)
    assert [oracle.node.ocr2.signing_address for oracle in made if oracle.node.ocr2] == list(config.signers)


@pytest.mark.parametrize("name", ["delta_progress_ms", "delta_resend_ms"])
def test_what_is_too_short_is_named(name: str) -> None:
    """A timing below 200 ms, which every node refuses, is refused by the setting's name."""
    short = replace(_SETTINGS, **{name: 199}, delta_round_ms=100)

    with pytest.raises(InvalidOcrConfig, match=r"solution\.mesh\.ocr\.delta(Progress|Resend)Ms: found 199"):
        ocr2_config.desired(made_oracles(4), short, _ANSWERS)


def test_no_keys_of_ocr2() -> None:
    """An oracle without keys of OCR2 is named."""
    made = made_oracles(4)
    made[2] = replace(made[2], node=replace(made[2].node, ocr2=None))

    with pytest.raises(InvalidOcrConfig, match="OCR2 keys of node-2"):
        ocr2_config.desired(made, _SETTINGS, _ANSWERS)
