"""The checks of a configuration, each with the field it names."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainlink.ocr.timing_minimums import FAST, MODERATE, PRIVATE_TESTNET, PUBLIC_TESTNET, SLOW, timing_minimums
from services.oracle.ocr.config import ContractConfig, PublicConfig, SharedConfig
from services.oracle.ocr.errors import ConfigError, IdentityError
from services.oracle.ocr.offchain_config import MAX_ENCODED_LENGTH, OffchainConfig, SharedSecretEncryptions
from tests.oracle.ocr.committee import CHAIN_ID, MS, S, make_committee

COMMITTEE = make_committee()
OFFCHAIN = COMMITTEE.public.offchain
word = st.binary(min_size=32, max_size=32)
duration = st.integers(-(2**63), 2**63 - 1)
configs = st.builds(
    OffchainConfig,
    *[duration] * 5,
    st.integers(0, 2**64 - 1),
    duration,
    st.integers(0, 255),
    st.lists(st.integers(0, 255), max_size=40).map(tuple),
    st.lists(word, max_size=31).map(tuple),
    st.lists(st.text("123456789ABCabc", min_size=1), max_size=31).map(tuple),
    st.builds(
        SharedSecretEncryptions, word, word, st.lists(st.binary(min_size=16, max_size=16), max_size=31).map(tuple)
    ),
)


def with_changes(**changes: object) -> ContractConfig:
    """Return the committee's configuration with fields of the off-chain part replaced."""
    offchain = dataclasses.replace(OFFCHAIN, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(COMMITTEE.contract_config, encoded=offchain.encode())


@given(configs)
def test_round_trip(config: OffchainConfig) -> None:
    """Every configuration survives its encoding."""
    assert config == OffchainConfig.decode(config.encode())


@given(st.binary(max_size=600))
def test_noise(raw: bytes) -> None:
    """Bytes that are no configuration raise ConfigError and nothing else."""
    with pytest.raises(ConfigError):
        OffchainConfig.decode(raw)


def test_encoded_length() -> None:
    """Four oracles and four stages take the 1248 bytes that are seen on real chains."""
    assert 1248 == len(dataclasses.replace(OFFCHAIN, s=(1, 2, 2, 2)).encode())


def test_digest_depends_on_everything() -> None:
    """Each of the seven values changes the digest."""
    config = COMMITTEE.contract_config
    changed = [
        dataclasses.replace(config, contract="0x00000000000000000000000000000000000000c1"),
        dataclasses.replace(config, config_count=2),
        dataclasses.replace(config, signers=config.signers[::-1]),
        dataclasses.replace(config, transmitters=config.transmitters[::-1]),
        dataclasses.replace(config, f=2),
        dataclasses.replace(config, encoded_version=2),
        dataclasses.replace(config, encoded=config.encoded + b"\0"),
    ]

    assert 8 == len({c.digest() for c in [config, *changed]})
    assert 16 == len(config.digest())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"delta_c_ns": -1}, "deltaC"),
        ({"delta_stage_ns": -1}, "deltaStage"),
        ({"delta_resend_ns": -1}, "deltaResend"),
        ({"delta_grace_ns": -1}, "deltaGrace"),
        ({"delta_grace_ns": 2 * S}, "deltaGrace"),
        ({"delta_round_ns": 5 * S}, "deltaRound"),
        ({"r_max": 0}, "rMax"),
        ({"r_max": 255}, "rMax"),
        ({"s": (1,) * 1000}, "encoded"),
        ({"s": (1, 32)}, "s[1]"),
        ({"offchain_public_keys": OFFCHAIN.offchain_public_keys[1:]}, "offchainPublicKeys"),
        ({"peer_ids": OFFCHAIN.peer_ids[1:]}, "peerIDs"),
        ({"peer_ids": ()}, "peerIDs"),
        ({"encryptions": SharedSecretEncryptions(bytes(32), bytes(32), ())}, "encryptions"),
    ],
)
def test_refused_offchain_values(changes: dict[str, object], field: str) -> None:
    """Each forbidden value is refused by its name."""
    with pytest.raises(ConfigError) as caught:
        PublicConfig.from_contract(with_changes(**changes), CHAIN_ID)

    assert field == caught.value.field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"encoded_version": 2}, "encodedConfigVersion"),
        ({"f": 2}, "threshold"),
        ({"transmitters": COMMITTEE.contract_config.transmitters[1:]}, "transmitters"),
        ({"signers": ("0x12", *COMMITTEE.contract_config.signers[1:])}, "signers[0]"),
        ({"encoded": bytes(MAX_ENCODED_LENGTH + 1)}, "encoded"),
    ],
)
def test_refused_contract_values(changes: dict[str, object], field: str) -> None:
    """Each forbidden value of the event is refused by its name."""
    config = dataclasses.replace(COMMITTEE.contract_config, **changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as caught:
        PublicConfig.from_contract(config, CHAIN_ID)

    assert field == caught.value.field


def test_thirty_two_oracles() -> None:
    """More oracles than a report has room for are refused."""
    with pytest.raises(ConfigError, match="at most 31"):
        make_committee(n=32, f=10)


def test_chain_minimums() -> None:
    """Demonstration timings are refused on a chain that nobody listed, but not for a bootstrapper."""
    with pytest.raises(ConfigError) as caught:
        PublicConfig.from_contract(COMMITTEE.contract_config, 31337)

    assert "deltaC" == caught.value.field
    assert "found 10 s, allowed is at least 600 s on chain 31337" in str(caught.value)
    assert COMMITTEE.public == PublicConfig.from_contract(COMMITTEE.contract_config, None)


def test_seconds_for_nanoseconds_are_refused() -> None:
    """Durations written in seconds by mistake are below the minimums of every chain that has some."""
    in_seconds = with_changes(
        delta_progress_ns=35,
        delta_resend_ns=17,
        delta_round_ns=30,
        delta_grace_ns=12,
        delta_c_ns=86_400,
        delta_stage_ns=60,
    )
    for chain_id in (1, 100, 10, 11155111, 31337):
        with pytest.raises(ConfigError, match="at least"):
            PublicConfig.from_contract(in_seconds, chain_id)


def test_slow_chain_timings_pass_everywhere() -> None:
    """The timings that real deployments use pass on an unknown chain."""
    slow = with_changes(
        delta_progress_ns=35 * S,
        delta_resend_ns=17 * S,
        delta_round_ns=30 * S,
        delta_grace_ns=12 * S,
        delta_c_ns=24 * 3600 * S,
        delta_stage_ns=60 * S,
    )

    assert PublicConfig.from_contract(slow, 5611).offchain.delta_stage_ns == 60 * S


@pytest.mark.parametrize(
    ("chain_id", "expected"),
    [(1, SLOW), (204, SLOW), (100, MODERATE), (42161, FAST), (11155111, PUBLIC_TESTNET), (1337, PRIVATE_TESTNET)],
)
def test_chain_classes(chain_id: int, expected: object) -> None:
    """Chains are in their classes."""
    assert expected == timing_minimums(chain_id)


def test_own_index() -> None:
    """Each oracle finds itself, and all agree on leaders and secrets."""
    assert [0, 1, 2, 3] == [shared.index for shared in COMMITTEE.shared]
    assert 1 == len({(shared.leader_key, shared.tx_order_key) for shared in COMMITTEE.shared})


def test_uncovered_oracle_never_transmits() -> None:
    """When the stages are too small, the last in the order has no turn."""
    committee = make_committee(s=(1, 1, 1))
    delays = [shared.transmit_delay_ns(1, 1) for shared in committee.shared]

    assert {0, 2000 * MS, 4000 * MS, None} == set(delays)


def test_identity() -> None:
    """A stranger, and a member with another key, peer id or transmitter than configured, are refused by name."""
    public, keys = COMMITTEE.public, COMMITTEE.keys[1]
    peer_id, transmitter = COMMITTEE.peers[1].peer_id, COMMITTEE.transmitters[1]
    stranger = dataclasses.replace(keys, signing=b"\1" * 32)
    cases = [
        (stranger, peer_id, transmitter, "signers"),
        (dataclasses.replace(keys, offchain=b"\1" * 32), peer_id, transmitter, "offchainPublicKeys[1]"),
        (keys, COMMITTEE.peers[0].peer_id, transmitter, "peerIDs[1]"),
        (keys, peer_id, COMMITTEE.transmitters[0], "transmitters[1]"),
    ]
    for own, own_peer, own_transmitter, field in cases:
        with pytest.raises(IdentityError) as caught:
            SharedConfig.join(public, own, own_peer, own_transmitter)

        assert field == caught.value.field


def test_wrong_secret() -> None:
    """A block encrypted for another config key is noticed by its hash, a useless point by its name."""
    keys = dataclasses.replace(COMMITTEE.keys[0], config=b"\1" * 32)
    own = (COMMITTEE.peers[0].peer_id, COMMITTEE.transmitters[0])
    with pytest.raises(ConfigError, match="wrong hash"):
        SharedConfig.join(COMMITTEE.public, keys, *own)

    sealed = dataclasses.replace(OFFCHAIN.encryptions, diffie_hellman_point=bytes(32))
    public = PublicConfig.from_contract(with_changes(encryptions=sealed), CHAIN_ID)
    with pytest.raises(ConfigError, match="diffieHellmanPoint"):
        SharedConfig.join(public, COMMITTEE.keys[0], *own)


def test_secrets_are_not_shown() -> None:
    """Neither keys nor derived keys appear in a representation."""
    text = repr(COMMITTEE.keys[0]) + repr(COMMITTEE.shared[0])

    assert COMMITTEE.keys[0].signing.hex() not in text
    assert repr(COMMITTEE.shared[0].leader_key) not in text
    assert repr(COMMITTEE.keys[0].config) not in text
