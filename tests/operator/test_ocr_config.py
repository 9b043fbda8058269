from dataclasses import replace

import pytest
from eth_abi.abi import decode as abi_decode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from services.operator import ocr_config
from services.operator.config import OcrSettings, OperatorConfig
from services.operator.errors import InvalidOcrConfig
from services.operator.nodes.identity import OracleIdentity, oracles
from services.operator.nodes.node_files import Preparation
from services.operator.ocr_config import FeedConfig
from tests.operator.made import made_oracles

# Printed by another implementation.
_SECRET = bytes(range(16))
_EPHEMERAL = b"\x11" * 32
_CONFIG_KEY = bytes.fromhex("675500530eb4953c326cf19a91b284ec8a63038dff06b0de59d4cbcc9db7b72e")
_POINT = "7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13"
_HASH = "01aec967ba5d2a807edd3fd8942c6f72c0c62961bfeb10c1f79c756f7294b0e3"
_BLOCK = "4ad24c27ad8af32cae113c16a2f452ca"

_SETTINGS = OcrSettings(5000, 1000, 2000, 500, 10_000, 1, 2000, 4)
_TYPES = ["(int64,int64,int64,int64,int64,uint64,int64,uint8,uint8[],bytes32[],string,(bytes32,bytes32,bytes16[]))"]


def _keys(made: list[OracleIdentity]) -> list[bytes]:
    return [oracle.ocr.config_public_key for oracle in made]


def test_shared_secret_is_encrypted_as_by_another_implementation() -> None:
    """Point, hash and block are those that another implementation computes from the same randomness."""
    made = made_oracles(4)
    config = ocr_config.desired(made, _SETTINGS, 1337)
    encoded = ocr_config.encode_with(config.offchain, [_CONFIG_KEY, *_keys(made)[1:]], _SECRET, _EPHEMERAL)
    ((*_, (point, secret_hash, blocks)),) = abi_decode(_TYPES, encoded)

    assert (_POINT, _HASH, _BLOCK) == (point.hex(), secret_hash.hex(), blocks[0].hex())
    assert keccak(_SECRET) == secret_hash


@pytest.mark.parametrize(("n", "length"), [(4, 1248), (31, 5280)])
def test_length_of_the_encoding(n: int, length: int) -> None:
    """With peer ids of 52 characters and a stage an oracle, the encoding is as long as other implementations' are."""
    config = ocr_config.desired(made_oracles(n), _SETTINGS, 1337).offchain
    full = replace(config, peer_ids=("x" * 52,) * n, s=(1,) * n)

    assert length == len(ocr_config.encode(full, _keys(made_oracles(n))))


@given(st.integers(4, 31))
@settings(deadline=None)
def test_encoding_decodes_to_the_same(n: int) -> None:
    """What is encoded decodes to the same public configuration, with f and stages that reach every oracle."""
    made = made_oracles(n)
    config = ocr_config.desired(made, _SETTINGS, 1337)

    assert config.offchain == ocr_config.decode(ocr_config.encode(config.offchain, _keys(made)))
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
    lower = [address.lower() for address in config.signers]
    assert ocr_config.from_event(lower, config.transmitters, 1, 1, first) == ocr_config.from_event(
        config.signers, config.transmitters, 1, 1, second
    )


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


def _config() -> FeedConfig:
    return ocr_config.desired(made_oracles(4), _SETTINGS, 1337)


def _offchain(**changes: object) -> FeedConfig:
    config = _config()
    return replace(config, offchain=replace(config.offchain, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (replace(_config(), version=2), "encodedConfigVersion"),
        (replace(_config(), f=0), "f"),
        (replace(_config(), f=2), "f"),
        (replace(_config(), transmitters=_config().transmitters[:3]), "transmitters"),
        (replace(_config(), transmitters=_config().transmitters[:3] + _config().transmitters[:1]), "transmitters"),
        (replace(_config(), transmitters=_config().signers), "signers"),
        (_offchain(peer_ids=("a",) * 4), "peerIDs"),
        (_offchain(offchain_public_keys=()), "offchainPublicKeys"),
        (_offchain(delta_c_ns=-1), "delta_c_ns"),
        (_offchain(delta_grace_ns=2 * 10**9), "ocr"),
        (_offchain(delta_round_ns=5 * 10**9), "ocr"),
        (_offchain(r_max=0), "rMax"),
        (_offchain(r_max=255), "rMax"),
        (_offchain(alpha_ppb=-1), "alphaPpb"),
        (_offchain(s=(1,) * 1000), "s"),
        (_offchain(s=(32,)), "s"),
        (_offchain(s=(1, 2)), "s"),
    ],
)
def test_what_every_node_would_refuse_is_refused_here(config: FeedConfig, field: str) -> None:
    """A configuration that breaks one rule of the nodes is refused, naming the field."""
    with pytest.raises(InvalidOcrConfig) as caught:
        ocr_config.check(config)

    assert field == caught.value.field


def test_too_many_oracles_are_refused() -> None:
    """The contract takes at most 31 oracles."""
    with pytest.raises(InvalidOcrConfig, match="at most 31"):
        ocr_config.desired(made_oracles(32), _SETTINGS, 1337)


def test_a_key_on_a_small_subgroup_is_refused() -> None:
    """A config key that would make the shared secret public is refused."""
    with pytest.raises(InvalidOcrConfig, match="configPublicKeys"):
        ocr_config.encode(_config().offchain, [b"\0" * 32] * 4)


@given(st.binary(max_size=600))
@settings(deadline=None)
def test_any_bytes_decode_or_are_refused(encoded: bytes) -> None:
    """Bytes that are no configuration give InvalidOcrConfig and nothing else."""
    with pytest.raises(InvalidOcrConfig):
        ocr_config.decode(encoded)


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
    allowed = OcrSettings(35_000, 17_000, 30_000, 12_000, 86_400_000, 5_000_000, 60_000, 6)
    made = made_oracles(4)
    ocr_config.desired(made, allowed, chain_id)

    with pytest.raises(InvalidOcrConfig, match=f"solution.mesh.ocr.{field}"):
        ocr_config.desired(made, replace(allowed, **changes), chain_id)
    ocr_config.desired(made, replace(allowed, **changes), 1337)
