"""What other implementations computed, this one computes too."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_utils.crypto import keccak

from chainlink.ocr.report_context import context_tag
from chainlink.ocr.shared_secret import SharedSecretEncryptions
from services.oracle.ocr import crypto, report, schedule
from services.oracle.ocr.report import AttributedObservation

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors/ocr/protocol.json").read_text())


def test_leaders_of_a_secret() -> None:
    """The keys of a secret and the leaders they choose are the known ones."""
    vector = VECTORS["schedule"]
    secret = bytes.fromhex(vector["shared_secret"])
    key = schedule.leader_key(secret)
    leaders = [schedule.leader(epoch, key, vector["n"]) for epoch in range(1, 13)]

    assert vector["leader_key"] == key.hex()
    assert vector["tx_order_key"] == schedule.tx_order_key(secret).hex()
    assert vector["leaders_of_epochs_1_to_12"] == leaders


@pytest.mark.parametrize("vector", VECTORS["permutations"])
def test_permutations(vector: dict[str, Any]) -> None:
    """Keys shuffle as Go does."""
    assert tuple(vector["order"]) == schedule.permutation(vector["n"], bytes.fromhex(vector["key"]))


def test_transmission_schedule() -> None:
    """Each oracle's place and delay in a known round's schedule."""
    key = bytes.fromhex(VECTORS["schedule"]["tx_order_key"])
    vector = VECTORS["schedule"]["transmission"]
    digest = bytes.fromhex(vector["config_digest"])
    order = schedule.transmission_order(key, digest, vector["epoch"], vector["round"], 4)
    stages = [schedule.stage(position, vector["s"]) for position in order]

    assert tuple(vector["order"]) == order
    assert vector["delays_s"] == [stage * vector["delta_stage_s"] for stage in stages if stage is not None]


def test_no_stage_beyond_the_sizes() -> None:
    """A position that no stage covers has none."""
    assert schedule.stage(4, [1, 1, 2]) is None


def test_shared_secret() -> None:
    """A secret encrypts to the known block and decrypts again."""
    vector = {name: bytes.fromhex(value) for name, value in VECTORS["config_encryption"].items()}
    sealed = SharedSecretEncryptions.seal(vector["shared_secret"], vector["ephemeral"], [vector["oracle_public_key"]])

    assert vector["diffie_hellman_point"] == sealed.diffie_hellman_point
    assert (vector["encryption"],) == sealed.encryptions
    assert vector["shared_secret_hash"] == sealed.shared_secret_hash
    assert vector["shared_secret"] == sealed.open(0, vector["oracle_secret_key"])


def test_report_and_signature() -> None:
    """A report's hash, its deterministic signature and the recovered signer are the known ones."""
    vector = VECTORS["report"]
    tag = context_tag(bytes.fromhex(vector["config_digest"]), vector["epoch"], vector["round"])
    pairs = zip(vector["observers"], vector["observations"], strict=True)
    encoded = report.encode_report(tag, [AttributedObservation(o, v) for o, v in pairs])
    signature = crypto.sign_report(bytes.fromhex(vector["signing_key"]), encoded)

    assert vector["context_tag"] == tag.hex()
    assert vector["keccak256"] == keccak(encoded).hex()
    assert f"{vector['r']}{vector['s']}{vector['v']:02x}" == signature.hex()
    assert vector["address"] == crypto.recover_signer(encoded, signature)


def test_observation_signature() -> None:
    """An observation's signature is the known one and verifies, for no other value."""
    vector = VECTORS["observation"]
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"]))
    tag, public = bytes.fromhex(vector["context_tag"]), key.public_key().public_bytes_raw()
    signature = crypto.sign_observation(key, tag, vector["value"])

    assert vector["payload_suffix"] == report.encode_value(vector["value"]).hex()
    assert vector["signature"] == signature.hex()
    assert crypto.verify_observation(public, tag, vector["value"], signature)
    assert not crypto.verify_observation(public, tag, vector["value"] + 1, signature)
