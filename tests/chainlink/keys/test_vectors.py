"""Keys written by another implementation, and ours read back."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle, OracleKeys
from chainlink.keys.p2p import P2pKey

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
    assert expected["ecdsaDHex"] == bundle.keys.signing.hex()
    assert expected["ed25519PrivKeyHex"] == (bundle.keys.offchain + bundle.keys.offchain_public_key).hex()
    # That implementation stores the scalar clamped, as X25519 uses it; the raw material has it unclamped.
    assert _clamped(bytes.fromhex(expected["offchainEncryptionHex"])) == bundle.keys.config
    assert expected["onChainAddress"] == bundle.keys.signing_address
    assert json.loads(text)["id"] == bundle.id
    assert json.loads(text) | bundle.public() == json.loads(text)
    unclamped = replace(bundle.keys, config=bytes.fromhex(expected["offchainEncryptionHex"]))
    assert unclamped.config_public_key == bundle.keys.config_public_key


def _clamped(scalar: bytes) -> bytes:
    return bytes([scalar[0] & 248, *scalar[1:31], scalar[31] & 127 | 64])


def test_ocr_plaintext_is_the_other_implementations(raw: Any) -> None:
    """From the same keys we write the same plaintext byte for byte, since the id hashes it."""
    theirs = OcrKeyBundle.read((_VECTORS / "ocr_key.json").read_text(), _PASSWORD)
    keys = OracleKeys(bytes.fromhex(raw["ocr"]["ecdsaDHex"]), theirs.keys.offchain, theirs.keys.config)
    ours = OcrKeyBundle.of(keys)

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
