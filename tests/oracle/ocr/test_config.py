"""A configuration as its oracles go by it."""

import dataclasses

import pytest

from chainlink.errors import InvalidOcrConfig
from chainlink.ocr.contract_config import ContractConfig
from chainlink.ocr.offchain_config import MAX_ENCODED_LENGTH, OffchainConfig
from services.oracle.ocr.config import PublicConfig, SharedConfig
from services.oracle.ocr.errors import IdentityError
from tests.oracle.ocr.committee import CHAIN_ID, MS, S, make_committee

COMMITTEE = make_committee()
OFFCHAIN = COMMITTEE.public.offchain


def with_changes(**changes: object) -> ContractConfig:
    """Return the committee's configuration with fields of the off-chain part replaced."""
    offchain = dataclasses.replace(OFFCHAIN, **changes)  # type: ignore[arg-type]
    return dataclasses.replace(COMMITTEE.contract_config, encoded=offchain.encode(COMMITTEE.public.sealed))


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
    ],
)
def test_refused_offchain_values(changes: dict[str, object], field: str) -> None:
    """Each forbidden value is refused by its name."""
    with pytest.raises(InvalidOcrConfig) as caught:
        PublicConfig.from_contract(with_changes(**changes), CHAIN_ID)

    assert field == caught.value.field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"encoded_version": 2}, "encodedConfigVersion"),
        ({"f": 0}, "f"),
        ({"f": 2}, "f"),
        ({"transmitters": COMMITTEE.contract_config.transmitters[1:]}, "transmitters"),
        ({"signers": ("0x12", *COMMITTEE.contract_config.signers[1:])}, "signers[0]"),
        ({"encoded": bytes(MAX_ENCODED_LENGTH + 1)}, "encoded"),
    ],
)
def test_refused_contract_values(changes: dict[str, object], field: str) -> None:
    """Each forbidden value of the event is refused by its name."""
    config = dataclasses.replace(COMMITTEE.contract_config, **changes)  # type: ignore[arg-type]
    with pytest.raises(InvalidOcrConfig) as caught:
        PublicConfig.from_contract(config, CHAIN_ID)

    assert field == caught.value.field


def test_thirty_two_oracles() -> None:
    """More oracles than a report has room for are refused."""
    with pytest.raises(InvalidOcrConfig, match="at most 31"):
        make_committee(n=32, f=10)


def test_chain_minimums() -> None:
    """Demonstration timings are refused on a chain that nobody listed, but not for a bootstrapper."""
    with pytest.raises(InvalidOcrConfig) as caught:
        PublicConfig.from_contract(COMMITTEE.contract_config, 31337)

    assert "deltaC" == caught.value.field
    assert "found '10 s', allowed: at least 600 s on chain 31337" in str(caught.value)
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
        with pytest.raises(InvalidOcrConfig, match="at least"):
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
    with pytest.raises(InvalidOcrConfig, match="wrong hash"):
        SharedConfig.join(COMMITTEE.public, keys, *own)

    sealed = dataclasses.replace(COMMITTEE.public.sealed, diffie_hellman_point=bytes(32))
    config = dataclasses.replace(COMMITTEE.contract_config, encoded=OFFCHAIN.encode(sealed))
    public = PublicConfig.from_contract(config, CHAIN_ID)
    with pytest.raises(InvalidOcrConfig, match="diffieHellmanPoint"):
        SharedConfig.join(public, COMMITTEE.keys[0], *own)


def test_a_secret_for_each_oracle() -> None:
    """A configuration whose secret is not encrypted for each oracle is refused."""
    sealed = dataclasses.replace(COMMITTEE.public.sealed, encryptions=())
    config = dataclasses.replace(COMMITTEE.contract_config, encoded=OFFCHAIN.encode(sealed))
    with pytest.raises(InvalidOcrConfig, match="encryptions"):
        PublicConfig.from_contract(config, CHAIN_ID)


def test_secrets_are_not_shown() -> None:
    """Neither keys nor derived keys appear in a representation."""
    text = repr(COMMITTEE.keys[0]) + repr(COMMITTEE.shared[0])

    assert COMMITTEE.keys[0].signing.hex() not in text
    assert repr(COMMITTEE.shared[0].leader_key) not in text
    assert repr(COMMITTEE.keys[0].config) not in text


def test_one_undecryptable_block_hides_nothing_of_the_others() -> None:
    """The oracle whose block does not decrypt is told so by its place, and all others take part as before."""
    committee = make_committee()
    offchain, sealed = OffchainConfig.decode(committee.contract_config.encoded)
    blocks = (*sealed.encryptions[:2], bytes(16), *sealed.encryptions[3:])
    damaged = dataclasses.replace(sealed, encryptions=blocks)
    config = dataclasses.replace(committee.contract_config, encoded=offchain.encode(damaged))
    public = PublicConfig.from_contract(config, CHAIN_ID)

    def place(index: int) -> int:
        keys, peer_id = committee.keys[index], committee.peers[index].peer_id
        return SharedConfig.join(public, keys, peer_id, committee.transmitters[index]).index

    assert [0, 1, 3] == [place(index) for index in (0, 1, 3)]
    with pytest.raises(InvalidOcrConfig, match=r"sharedSecretEncryptions\[2\]"):
        place(2)
