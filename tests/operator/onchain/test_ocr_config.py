from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.offchain_config import OffchainConfig
from meshkit.configuration.feeds.timings import FeedTimings
from services.operator.config import OperatorConfig
from services.operator.nodes.identity import OracleIdentity, oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import ocr_config
from tests.operator.made import made_oracles

_SETTINGS = FeedTimings(5000, 1000, 2000, 500, 10_000, 1, 2000, 4)


def _keys(made: list[OracleIdentity]) -> list[bytes]:
    return [oracle.ocr.config_public_key for oracle in made]


@given(st.integers(4, 31))
@settings(deadline=None)
def test_encoding_decodes_to_the_same(n: int) -> None:
    """What is encoded decodes to the same public configuration, with f and stages that reach every oracle."""
    made = made_oracles(n)
    config = ocr_config.desired(made, _SETTINGS, 1337)

    assert config.offchain == OffchainConfig.decode(ocr_config.encode(config.offchain, _keys(made)))[0]
    assert (n - 1) // 3 == config.f
    assert n <= sum(config.offchain.s) <= n + 1
    assert 1 == config.offchain.s[0]
    assert {2} == set(config.offchain.s[1:])


def test_the_secret_is_new_each_time_and_no_difference() -> None:
    """Two encodings differ, but read as the same configuration: the random secret is no reason to send again."""
    made = made_oracles(4)
    config = ocr_config.desired(made, _SETTINGS, 1337)
    first, second = (ocr_config.encode(config.offchain, _keys(made)) for _ in range(2))

    assert first != second
    assert OffchainConfig.decode(first)[0] == OffchainConfig.decode(second)[0]


def test_durations_are_nanoseconds() -> None:
    """Settings in milliseconds are written in nanoseconds: a value in another unit would fail only in the nodes."""
    offchain = ocr_config.desired(made_oracles(4), _SETTINGS, 1337).offchain

    assert (5 * 10**9, 10**9, 2 * 10**9) == (
        offchain.delta_progress_ns,
        offchain.delta_resend_ns,
        offchain.delta_round_ns,
    )
    assert (5 * 10**8, 10**10, 2 * 10**9) == (offchain.delta_grace_ns, offchain.delta_c_ns, offchain.delta_stage_ns)


def test_oracles_keep_their_order(config: OperatorConfig, prepared: Preparation) -> None:
    """Oracle i is node i + 2 in every list, whatever order the nodes come in."""
    made = oracles(tuple(reversed(prepared.identities)))
    desired = ocr_config.desired(made, config.ocr, 1337)

    nodes = prepared.identities[1:]
    assert tuple(node.transmitter_address for node in nodes) == desired.transmitters
    assert tuple(node.peer_id for node in nodes) == desired.offchain.peer_ids
    assert tuple(node.ocr.signing_address for node in nodes if node.ocr) == desired.signers
    assert [0, 1, 2, 3] == [oracle.oracle_index for oracle in made]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"peer_ids": ("a",) * 4}, "peerIDs"),
        ({"offchain_public_keys": (bytes(32),) * 4}, "offchainPublicKeys"),
        ({"s": (1, 2)}, "s"),
        ({"s": ()}, "s"),
    ],
)
def test_what_leaves_an_oracle_out_is_refused(changes: dict[str, object], field: str) -> None:
    """What nodes would bear, but what leaves one of them without keys of its own or a turn, is not made."""
    config = ocr_config.desired(made_oracles(4), _SETTINGS, 1337)
    changed = replace(config, offchain=replace(config.offchain, **changes))  # type: ignore[arg-type]
    with pytest.raises(InvalidOcrConfig) as caught:
        ocr_config.check_complete(changed)

    assert field == caught.value.field


@pytest.mark.parametrize(
    ("n", "changes", "field"),
    [
        (3, {}, "f"),
        (32, {}, "signers"),
        (4, {"r_max": 0}, "rMax"),
        (4, {"delta_grace_ms": 2000}, "deltaGrace"),
    ],
)
def test_what_the_rules_forbid_is_not_made(n: int, changes: dict[str, int], field: str) -> None:
    """A set of oracles or settings that nodes or the contract would refuse is refused before anything is sent."""
    with pytest.raises(InvalidOcrConfig) as caught:
        ocr_config.desired(made_oracles(n), replace(_SETTINGS, **changes), 1337)

    assert field == caught.value.field


def test_a_key_for_each_oracle() -> None:
    """The secret is encrypted for all oracles or not at all."""
    made = made_oracles(4)
    config = ocr_config.desired(made, _SETTINGS, 1337)

    with pytest.raises(InvalidOcrConfig, match="configPublicKeys: found '3 entries', allowed: 4"):
        ocr_config.encode(config.offchain, _keys(made)[1:])


@pytest.mark.parametrize(
    ("chain_id", "changes", "field"),
    [
        (5611, {"delta_c_ms": 599_999}, "deltaCMs: found 599999, allowed: at least 600000 on chain 5611"),
        (5611, {"delta_stage_ms": 9_999}, "deltaStageMs"),
        (5611, {"delta_round_ms": 19_999, "delta_grace_ms": 500}, "deltaRoundMs"),
        (31337, {"delta_progress_ms": 22_999, "delta_round_ms": 20_000}, "deltaProgressMs"),
        (1, {"delta_resend_ms": 9_999}, "deltaResendMs"),
        (56, {"delta_c_ms": 9_999}, "deltaCMs"),
    ],
)
def test_timings_that_oracles_refuse_on_a_chain(chain_id: int, changes: dict[str, int], field: str) -> None:
    """A timing under the chain's minimum is refused with its setting's name before anything is sent."""
    allowed = FeedTimings(35_000, 17_000, 30_000, 12_000, 86_400_000, 5_000_000, 60_000, 6)
    made = made_oracles(4)
    ocr_config.desired(made, allowed, chain_id)

    with pytest.raises(InvalidOcrConfig, match=f"solution.mesh.ocr.{field}"):
        ocr_config.desired(made, replace(allowed, **changes), chain_id)
    ocr_config.desired(made, replace(allowed, **changes), 1337)
