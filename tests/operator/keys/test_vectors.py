"""Keys written by another implementation, and ours read back."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.operator.errors import KeyFormatError
from services.operator.keys.evm import EvmKey
from services.operator.keys.ocr import OcrKeyBundle
from services.operator.keys.p2p import P2pKey, peer_id

_VECTORS = Path("tests/vectors/keys")
_PASSWORD = "correct-horse-battery-staple"


@pytest.fixture(name="raw", scope="module")
def _raw() -> Any:
    return json.loads((_VECTORS / "keys-raw.json").read_text())


def test_evm_export_decrypts(raw: Any) -> None:
    """Another implementation's EVM export gives its private key and address."""
    key = EvmKey.read((_VECTORS / "evm_key.json").read_text(), _PASSWORD)

    assert raw["evm"]["privateKeyHex"] == key.private_key.hex()
    assert raw["evm"]["address"] == key.address


def test_p2p_export_decrypts(raw: Any) -> None:
    """Another implementation's P2P export gives its private key and peer id."""
    key = P2pKey.read((_VECTORS / "p2p_key.json").read_text(), _PASSWORD)

    assert raw["p2p"]["ed25519PrivKeyHex"] == (key.seed + key.public_key).hex()
    assert raw["p2p"]["peerId"] == "p2p_" + key.peer_id


def test_ocr_export_decrypts(raw: Any) -> None:
    """Another implementation's OCR bundle gives its three keys, its addresses and its id."""
    text = (_VECTORS / "ocr_key.json").read_text()
    bundle = OcrKeyBundle.read(text, _PASSWORD)

    expected = raw["ocr"]
    assert expected["ecdsaDHex"] == bundle.signing_key.hex()
    assert expected["ed25519PrivKeyHex"] == (bundle.offchain_seed + bundle.offchain_public_key).hex()
    # That implementation stores the scalar clamped, as X25519 uses it; the raw material has it unclamped.
    assert _clamped(bytes.fromhex(expected["offchainEncryptionHex"])) == bundle.config_scalar
    assert expected["onChainAddress"] == bundle.signing_address
    assert json.loads(text)["id"] == bundle.id


def _clamped(scalar: bytes) -> bytes:
    return bytes([scalar[0] & 248, *scalar[1:31], scalar[31] & 127 | 64])


def test_ocr_plaintext_is_the_other_implementations(raw: Any) -> None:
    """From the same keys we write the same plaintext byte for byte, since the id hashes it."""
    theirs = OcrKeyBundle.read((_VECTORS / "ocr_key.json").read_text(), _PASSWORD)
    ours = OcrKeyBundle.of(int(raw["ocr"]["ecdsaDHex"], 16), theirs.offchain_seed, theirs.config_scalar)

    assert theirs.plaintext == ours.plaintext


@pytest.mark.parametrize(("name", "kind"), [("evm", EvmKey), ("p2p", P2pKey), ("ocr", OcrKeyBundle)])
def test_our_export_has_the_same_form(name: str, kind: Any) -> None:
    """What we write has the same fields in the same order, and we read it back."""
    theirs = json.loads((_VECTORS / f"{name}_key.json").read_text())
    key = kind.generate()
    ours = key.export(_PASSWORD, 2)

    assert list(theirs) == list(ours)
    assert theirs["crypto"].keys() == ours["crypto"].keys()
    assert theirs["crypto"]["kdfparams"].keys() == ours["crypto"]["kdfparams"].keys()
    assert {len(theirs["crypto"]["kdfparams"]["salt"])} == {len(ours["crypto"]["kdfparams"]["salt"])}
    assert key == kind.read(json.dumps(ours), _PASSWORD)


def test_peer_id_of_a_known_key() -> None:
    """A public key has the peer id that a node of the network shows for it."""
    public_key = bytes.fromhex("f3c458c9064bdde449a3904ba8d3f8f5ebf79623077430325252c3368f920199")

    assert peer_id(public_key) == "12D3KooWSDvtYVF3FoyGeMrmDxYeJZMzbEyMHRwmf5GUSqgJhST2"


def test_wrong_password_is_told_apart() -> None:
    """A wrong password is an error that says so."""
    text = json.dumps(P2pKey.generate().export(_PASSWORD, 2))

    with pytest.raises(KeyFormatError, match="the password is wrong"):
        P2pKey.read(text, _PASSWORD + "!")
