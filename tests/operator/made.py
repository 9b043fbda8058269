"""Identities of oracles that nobody has the keys of."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_utils.address import to_checksum_address

from services.operator.nodes.identity import NodeIdentity, OcrIdentity, OracleIdentity


def made_oracles(n: int) -> list[OracleIdentity]:
    """Make identities of digests: their form is right and no two are the same."""

    def digest(kind: str, index: int) -> bytes:
        return hashlib.sha256(f"{kind}{index}".encode()).digest()

    def oracle(index: int) -> OracleIdentity:
        signer, transmitter = (to_checksum_address(digest(kind, index)[:20]) for kind in ("signer", "transmitter"))
        ocr = OcrIdentity(digest("id", index).hex(), signer, digest("off", index), _public(digest("config", index)))
        signer2 = to_checksum_address(digest("signer2", index)[:20])
        ocr2 = OcrIdentity(
            digest("id2", index).hex(), signer2, digest("off2", index), _public(digest("config2", index))
        )
        node = NodeIdentity(index + 2, f"node-{index}", f"12D3KooW{index}", transmitter, ocr, ocr2)
        return OracleIdentity(index, node, ocr)

    return [oracle(index) for index in range(n)]


def _public(scalar: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()
