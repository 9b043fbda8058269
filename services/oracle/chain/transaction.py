"""A transaction that carries a report: EIP-155 legacy form, signed."""

from dataclasses import dataclass

import rlp  # type: ignore[import-untyped]  # it has no annotations
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak


@dataclass(frozen=True, slots=True)
class LegacyTransaction:
    """Hold an unsigned transaction; `to` is 0x text, prices are wei."""

    nonce: int
    gas_price_wei: int
    gas_limit: int
    to: str
    data: bytes
    chain_id: int

    def sign(self, private_key: bytes) -> bytes:
        """Return the signed bytes for eth_sendRawTransaction, after EIP-155."""
        fields = [self.nonce, self.gas_price_wei, self.gas_limit, bytes.fromhex(self.to[2:]), 0, self.data]
        signature = PrivateKey(private_key).sign_msg_hash(keccak(rlp.encode([*fields, self.chain_id, 0, 0])))
        v = signature.v + 35 + 2 * self.chain_id
        return bytes(rlp.encode([*fields, v, signature.r, signature.s]))


def transaction_hash(raw: bytes) -> str:
    """Return the hash of a signed transaction as 0x text."""
    return "0x" + keccak(raw).hex()
